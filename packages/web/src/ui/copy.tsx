/** Copies text, and says that it did. */
import { useEffect, useState } from 'react';
import { Button, IconButton } from './button.tsx';
import { Icon } from './icon.tsx';
import { notify } from './toast.tsx';

function useCopy(text: string): readonly [copied: boolean, copy: () => void] {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return undefined;
    const timer = setTimeout(() => setCopied(false), 1_600);
    return () => clearTimeout(timer);
  }, [copied]);
  return [copied, () => {
    navigator.clipboard.writeText(text).then(() => setCopied(true), () => notify('Nothing was copied', 'The browser did not allow it. Select the text and copy it by hand.'));
  }];
}

export function CopyIcon({ text, label }: Readonly<{ text: string; label: string }>) {
  const [copied, copy] = useCopy(text);
  return (
    <IconButton label={copied ? 'Copied' : label} onClick={copy}>
      <Icon name={copied ? 'check' : 'copy'} className={copied ? 'text-accent' : ''} />
    </IconButton>
  );
}

export function CopyButton({ text, children, tone }: Readonly<{ text: string; children: string; tone?: 'primary' | 'plain' }>) {
  const [copied, copy] = useCopy(text);
  return (
    <Button tone={tone ?? 'plain'} onClick={copy}>
      <Icon name={copied ? 'check' : 'copy'} />
      <span aria-live="polite">{copied ? 'Copied' : children}</span>
    </Button>
  );
}

/** A command or address, whole, with a button that copies it. */
export function CopyBlock({ text, label }: Readonly<{ text: string; label: string }>) {
  return (
    <div className="grid grid-cols-[minmax(0,1fr)_auto] rounded-xl border border-line bg-sunken">
      <pre tabIndex={0} aria-label={label} className="overflow-x-auto rounded-l-xl py-2.5 pl-3.5 font-mono text-[0.8125rem] leading-relaxed"><code>{text}</code></pre>
      <div className="p-1"><CopyIcon text={text} label={`Copy ${label.toLowerCase()}`} /></div>
    </div>
  );
}
