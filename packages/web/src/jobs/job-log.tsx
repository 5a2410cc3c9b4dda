/** What a job printed, following its end until it is paused. */
import type { LogLine } from '@weir/contracts/jobs';
import { useEffect, useRef, useState } from 'react';
import { IconButton } from '../ui/button.tsx';
import { CopyIcon } from '../ui/copy.tsx';
import { CurlPopover } from '../ui/curl-popover.tsx';
import { Icon } from '../ui/icon.tsx';
import { Section } from '../ui/page.tsx';

const time = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });

export function JobLog({ jobId, lines, live }: Readonly<{ jobId: string; lines: readonly LogLine[]; live: boolean }>) {
  const [following, setFollowing] = useState(true);
  const box = useRef<HTMLPreElement>(null);
  useEffect(() => {
    if (following && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [following, lines]);
  return (
    <Section
      title="Log"
      actions={<>
        {live && (
          <IconButton label={following ? 'Pause following' : 'Follow the end'} onClick={() => setFollowing(!following)}>
            <Icon name={following ? 'pause' : 'play'} />
          </IconButton>
        )}
        <CopyIcon text={lines.map(({ at, text }) => `${at} ${text}`).join('\n')} label="Copy the log" />
        <CurlPopover what="Read the log" request={{ path: `/api/v1/jobs/${jobId}/logs` }} />
      </>}
    >
      <pre
        ref={box} tabIndex={0} aria-label="Log lines"
        className="max-h-80 min-h-24 overflow-auto rounded-xl border border-line bg-sunken p-3 font-mono text-xs leading-relaxed"
      >
        {lines.length === 0
          ? <span className="text-muted">{live ? 'Nothing printed yet.' : 'It printed nothing.'}</span>
          : lines.map((line, index) => (
            // Lines have no identity of their own and only grow at the end.
            <span key={index} className="block">
              <span className="text-muted select-none">{time.format(new Date(line.at))}  </span>
              <span className={line.stream === 'weir' ? 'text-accent' : ''}>{line.text}</span>
            </span>
          ))}
      </pre>
    </Section>
  );
}
