/** What a job made, to play at once. */
import { Link } from '@tanstack/react-router';
import type { Job, JobOutput, Probe } from '@weir/contracts/jobs';
import * as content from '@weir/sdk/content';
import { api } from '../api.ts';
import { formatBytes, formatClock } from '../format.ts';
import { useItemByCid } from '../library/item-by-cid.ts';
import { mediaKind } from '../media-kind.ts';
import { buttonClass } from '../ui/button.tsx';
import { CurlPopover } from '../ui/curl-popover.tsx';
import { Icon } from '../ui/icon.tsx';
import { Section } from '../ui/page.tsx';
import { Player } from '../ui/player.tsx';

export function JobOutputs({ job }: Readonly<{ job: Job }>) {
  return (
    <Section title={job.outputs.length === 1 ? 'Output' : 'Outputs'}>
      <ul className="space-y-6">
        {job.outputs.map((output) => <Output key={output.name} output={output} />)}
      </ul>
    </Section>
  );
}

function Output({ output }: Readonly<{ output: JobOutput }>) {
  const item = useItemByCid(output.cid);
  return (
    <li>
      {mediaKind(output.content_type) !== 'file' && <Player cid={output.cid} contentType={output.content_type} title={output.name} />}
      <div className="mt-3 flex flex-wrap items-center gap-2">
        <div className="min-w-0 flex-1 basis-40">
          <p className="truncate text-sm font-medium">{output.name}</p>
          <p className="text-[0.8125rem] text-muted">{[formatBytes(output.size), ...probeText(output.probe)].join(' · ')}</p>
        </div>
        {item !== undefined && <Link to="/library/$libraryId" params={{ libraryId: item.library_id }} className={buttonClass('plain')}>Open in library</Link>}
        <a href={content.url(api, output.cid)} download={output.name} className={buttonClass('quiet')}><Icon name="download" />Download</a>
        <CurlPopover what="Download this output" request={{ path: `/api/v1/content/${output.cid}`, output: output.name }} />
      </div>
    </li>
  );
}

function probeText(probe: Probe | null): readonly string[] {
  if (probe === null) return [];
  const video = probe.streams.find(({ kind }) => kind === 'video');
  return [
    ...(probe.duration_seconds === null ? [] : [formatClock(probe.duration_seconds)]),
    ...(video?.width === undefined || video.height === undefined ? [] : [`${video.width} × ${video.height}`]),
    [...new Set(probe.streams.map(({ codec }) => codec))].join(', '),
  ].filter((part) => part !== '');
}
