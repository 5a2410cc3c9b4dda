/** Issues a token, and shows it the only time that it can be shown. */
import * as tokens from '@weir/sdk/tokens';
import { useState } from 'react';
import { api } from '../../api.ts';
import { useCaller, useMay } from '../../caller.ts';
import { formatInstant } from '../../format.ts';
import { Button } from '../../ui/button.tsx';
import { CopyBlock } from '../../ui/copy.tsx';
import { CurlPopover } from '../../ui/curl-popover.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Field } from '../../ui/field.tsx';
import { LifetimeField } from '../../ui/lifetime-field.tsx';
import { wordsOf } from '../../words.ts';
import { PersonInput } from '../person-input.tsx';
import { tokensQuery } from '../queries.ts';
import { ShownOnce } from '../shown-once.tsx';
import { useChange } from '../use-change.ts';

export function IssueTokenDialog({ owner, onClose }: Readonly<{ owner: string; onClose: () => void }>) {
  const may = useMay();
  const { permissions: known } = useCaller();
  const [person, setPerson] = useState(owner);
  const [role, setRole] = useState('');
  const [permissions, setPermissions] = useState('');
  const [lifetime, setLifetime] = useState(3_600);
  const wanted = wordsOf(permissions);
  const strange = wanted.find((name) => !Object.hasOwn(known, name));
  const request = {
    principal: person.trim(), expires_in: lifetime, ...(role.trim() === '' ? {} : { role: role.trim() }), ...(wanted.length === 0 ? {} : { permissions: [...wanted] }),
  };
  const issue = useChange({ run: () => tokens.issue(api, request), failed: 'No token was issued', refresh: [tokensQuery(request.principal).queryKey] });
  if (issue.isSuccess) {
    const { token, expires_at: end, principal } = issue.data;
    return (
      <ShownOnce
        title="The token" what="token" secret={token} onClose={onClose}
        warning={`Whoever has it acts as ${principal} until ${formatInstant(end)}, or until it is revoked. It can not be shown again.`}
      >
        <h3 className="mt-4 mb-1.5 text-sm font-medium">To use it, with the token in WEIR_TOKEN</h3>
        <CopyBlock text={`curl ${location.origin}/api/v1/permissions \\\n  -H "Authorization: Bearer $WEIR_TOKEN"`} label="Command" />
      </ShownOnce>
    );
  }
  return (
    <Dialog open onClose={onClose} title="Issue a token" description="For a program. It can do what its principal may, or, narrowed here, less.">
      <form onSubmit={(event) => { event.preventDefault(); if (strange === undefined) issue.mutate(); }}>
        <div className="grid gap-4 sm:grid-cols-2">
          {may('issue_tokens') && (
            <Field label="For">{(attributes) => <PersonInput {...attributes} value={person} onChange={(event) => setPerson(event.target.value)} />}</Field>
          )}
          <LifetimeField seconds={lifetime} onChange={setLifetime} />
          <Field label="Only as role" hint="Empty: as its own">
            {(attributes) => <input {...attributes} className="input" autoComplete="off" autoCapitalize="none" spellCheck={false} maxLength={32} placeholder="viewer" value={role} onChange={(event) => setRole(event.target.value)} />}
          </Field>
          <Field label="Only these permissions" hint="Empty: all of them" error={strange === undefined ? undefined : `There is no permission “${strange}”.`}>
            {(attributes) => <input {...attributes} className="input" autoComplete="off" autoCapitalize="none" spellCheck={false} placeholder="read_content" value={permissions} onChange={(event) => setPermissions(event.target.value)} />}
          </Field>
        </div>
        <div className="mt-5 flex items-center justify-end gap-2">
          <CurlPopover what="Issue this token" request={{ method: 'POST', path: '/api/v1/tokens', json: request }} />
          <Button onClick={onClose}>Cancel</Button>
          <Button tone="primary" type="submit" disabled={issue.isPending || strange !== undefined || person.trim() === ''}>Issue it</Button>
        </div>
      </form>
    </Dialog>
  );
}
