/** A secret in the only moment in which it can be shown: to be copied, with a warning, and with what uses it. */
import type { ReactNode } from 'react';
import { Button } from '../ui/button.tsx';
import { CopyBlock, CopyButton } from '../ui/copy.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Icon } from '../ui/icon.tsx';

type ShownOnceProps = Readonly<{ title: string; what: string; secret: string; warning: string; children?: ReactNode; onClose: () => void }>;

/** `what` names it on the buttons: "key". A click beside the dialog does not close it. */
export function ShownOnce({ title, what, secret, warning, children, onClose }: ShownOnceProps) {
  return (
    <Dialog open onClose={onClose} title={title} staysOpen>
      <p className="mb-4 flex items-start gap-2.5 rounded-xl bg-warn-soft p-3 text-sm text-warn"><Icon name="warning" className="mt-0.5" /><span className="min-w-0">{warning}</span></p>
      <CopyBlock text={secret} label={`The ${what}`} />
      {children}
      <div className="mt-5 flex justify-end gap-2">
        <Button onClick={onClose}>Done</Button>
        <CopyButton text={secret} tone="primary">{`Copy the ${what}`}</CopyButton>
      </div>
    </Dialog>
  );
}
