/** The keys that Weir signs with, and their rotation. */
import { useQuery } from '@tanstack/react-query';
import type { KeyPurpose, SigningKey } from '@weir/contracts/keys';
import * as keys from '@weir/sdk/keys';
import { useState } from 'react';
import { api } from '../../api.ts';
import { formatInstant } from '../../format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { CurlPopover } from '../../ui/curl-popover.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Page, Section } from '../../ui/page.tsx';
import { Asked } from '../asked.tsx';
import { keysQuery } from '../queries.ts';
import { useChange } from '../use-change.ts';

const purposes: Readonly<Record<KeyPurpose, string>> = {
  access: 'Tokens', grant: 'Links', job: 'Rights of jobs', ticket: 'One-time tickets', playlist: 'Playlists', instance: 'Signed answers and assignments', audit: 'Audit checkpoints',
};

export function KeysPage() {
  const query = useQuery(keysQuery);
  const [rotating, setRotating] = useState<KeyPurpose | null>(null);
  return (
    <Page title="Signing keys" actions={<CurlPopover what="List the signing keys" request={{ path: '/api/v1/keys' }} />}>
      <Asked query={query} height="h-72">
        {({ items }) => (
          <div className="grid items-start gap-5 lg:grid-cols-2">
            {[...Map.groupBy(items, ({ purpose }) => purpose)].map(([purpose, ofPurpose]) => (
              <Section key={purpose} title={purposes[purpose]} actions={<Button aria-label={`Rotate: ${purposes[purpose]}`} onClick={() => setRotating(purpose)}>Rotate…</Button>}>
                <ul className="divide-y divide-line">{ofPurpose.map((key) => <KeyRow key={key.kid} signingKey={key} />)}</ul>
              </Section>
            ))}
          </div>
        )}
      </Asked>
      {rotating !== null && <RotateDialog purpose={rotating} onClose={() => setRotating(null)} />}
    </Page>
  );
}

function KeyRow({ signingKey: { kid, algorithm, state, created_at: created, verifies_until: until } }: Readonly<{ signingKey: SigningKey }>) {
  const holds = state === 'verifying' && until !== null ? ` · what it signed holds until ${formatInstant(until)}` : '';
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-1 py-2.5">
      <div className="min-w-0 flex-1 basis-48">
        <p className="font-mono text-[0.8125rem] break-all">{kid}</p>
        <p className="text-[0.8125rem] text-muted">{`${algorithm} · since ${formatInstant(created)}${holds}`}</p>
      </div>
      {state === 'signing' ? <Badge tone="accent" icon="check">Signs</Badge> : <Badge tone="neutral">{state === 'verifying' ? 'Verifies' : 'Ended'}</Badge>}
    </li>
  );
}

function RotateDialog({ purpose, onClose }: Readonly<{ purpose: KeyPurpose; onClose: () => void }>) {
  const [compromised, setCompromised] = useState(false);
  const request = { purpose, compromised };
  const rotate = useChange({
    run: () => keys.rotate(api, request), failed: 'The key is as it was', refresh: [keysQuery.queryKey], onDone: onClose,
    done: ({ voided }) => (voided.length === 0 ? 'A new key signs now' : `A new key signs now, and ${voided.length === 1 ? 'the old one is' : `${voided.length} old ones are`} void`),
  });
  return (
    <Dialog open onClose={onClose} title={`A new key: ${purposes[purpose]}`} description="It signs from now on. What the old one signed holds until its own end.">
      <form onSubmit={(event) => { event.preventDefault(); rotate.mutate(); }}>
        <label className="flex items-start gap-3 rounded-xl border border-line p-3 text-sm">
          <input type="checkbox" className="mt-0.5 size-4 accent-danger" checked={compromised} onChange={(event) => setCompromised(event.target.checked)} />
          <span><span className="block font-medium">Somebody else may have the old key</span><span className="text-muted">It is void at once, with all that it signed: {voids[purpose]}.</span></span>
        </label>
        <div className="mt-5 flex items-center justify-end gap-2">
          <CurlPopover what="Rotate this key" request={{ method: 'POST', path: '/api/v1/keys/rotate', json: request }} />
          <Button onClick={onClose}>Cancel</Button>
          <Button tone={compromised ? 'danger' : 'primary'} type="submit" disabled={rotate.isPending}>{compromised ? 'Void and rotate' : 'Rotate'}</Button>
        </div>
      </form>
    </Dialog>
  );
}

const voids: Readonly<Record<KeyPurpose, string>> = {
  access: 'every token', grant: 'every link', job: 'what running jobs may read and write', ticket: 'every ticket', playlist: 'every open playlist',
  instance: 'workers and clients that pinned it need the new one', audit: 'checkpoints so far count for nothing',
};
