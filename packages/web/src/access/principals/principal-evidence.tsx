/** How a principal shows who it is: a link for a browser, a key for signed requests. */
import type { Principal } from '@weir/contracts/identity';
import * as principals from '@weir/sdk/principals';
import { useState } from 'react';
import { api } from '../../api.ts';
import { Button } from '../../ui/button.tsx';
import { CurlPopover } from '../../ui/curl-popover.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Field } from '../../ui/field.tsx';
import { Icon } from '../../ui/icon.tsx';
import { Section } from '../../ui/page.tsx';
import { ShownOnce } from '../shown-once.tsx';
import { useChange } from '../use-change.ts';
import { KeyShown } from './key-shown.tsx';

const overlaps = [
  { seconds: 0, label: 'At once' }, { seconds: 3_600, label: 'In an hour' }, { seconds: 86_400, label: 'In a day' }, { seconds: 604_800, label: 'In 7 days' },
];

export function PrincipalEvidence({ principal: { principal: name, kind, disabled } }: Readonly<{ principal: Principal }>) {
  const [rotating, setRotating] = useState(false);
  const link = useChange({ run: () => principals.signInLink(api, name), failed: 'No link was made', refresh: [] });
  return (
    <Section title="Evidence">
      {kind === 'user' && (
        <div className="mb-4 flex flex-wrap items-center gap-x-3 gap-y-2 border-b border-line pb-4">
          <p className="min-w-0 flex-1 basis-52 text-sm text-muted">A one-time link signs a browser in as {name}, for ten minutes from now.</p>
          <CurlPopover what="Make a sign-in link" request={{ method: 'POST', path: `/api/v1/principals/${name}/sign-in-link` }} />
          <Button disabled={link.isPending || disabled} onClick={() => link.mutate()}><Icon name="link" />Make a sign-in link</Button>
        </div>
      )}
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <p className="min-w-0 flex-1 basis-52 text-sm text-muted">Its key signs requests. A new one replaces it, at once or after an overlap.</p>
        <Button onClick={() => setRotating(true)}><Icon name="key" />Rotate the key</Button>
      </div>
      {link.isSuccess && (
        <ShownOnce
          title="The sign-in link" what="link" secret={link.data.link} onClose={link.reset}
          warning={`Whoever opens it first is signed in as ${name}. It works once, for ten minutes, and can not be shown again.`}
        />
      )}
      {rotating && <RotateDialog name={name} onClose={() => setRotating(false)} />}
    </Section>
  );
}

function RotateDialog({ name, onClose }: Readonly<{ name: string; onClose: () => void }>) {
  const [overlap, setOverlap] = useState(3_600);
  const request = { overlap_seconds: overlap };
  const rotate = useChange({ run: () => principals.rotateKey(api, name, request), failed: 'The key is as it was', refresh: [] });
  if (rotate.isSuccess) return <KeyShown title="The new key" principal={name} secret={rotate.data.key ?? ''} onClose={onClose} />;
  return (
    <Dialog open onClose={onClose} title="Rotate the key" description="The new key works at once.">
      <form onSubmit={(event) => { event.preventDefault(); rotate.mutate(); }}>
        <Field label="The old key ends" hint="Choose “At once” when somebody else may have it.">
          {(attributes) => (
            <select {...attributes} className="input" value={overlap} onChange={(event) => setOverlap(Number(event.target.value))}>
              {overlaps.map(({ seconds, label }) => <option key={seconds} value={seconds}>{label}</option>)}
            </select>
          )}
        </Field>
        <div className="mt-5 flex items-center justify-end gap-2">
          <CurlPopover what="Rotate the key" request={{ method: 'POST', path: `/api/v1/principals/${name}/key`, json: request }} />
          <Button onClick={onClose}>Cancel</Button>
          <Button tone="primary" type="submit" disabled={rotate.isPending}>Make a new key</Button>
        </div>
      </form>
    </Dialog>
  );
}
