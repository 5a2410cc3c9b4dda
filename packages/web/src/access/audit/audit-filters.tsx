/** What to look for in the audit log. */
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { Button } from '../../ui/button.tsx';
import { Field } from '../../ui/field.tsx';
import { Icon } from '../../ui/icon.tsx';
import { PersonInput } from '../person-input.tsx';
import type { AuditSearchAddress } from './audit-address.ts';

type TextName = 'action' | 'object' | 'address' | 'text';

export function AuditFilters({ address }: Readonly<{ address: AuditSearchAddress }>) {
  const [draft, setDraft] = useState(address);
  const navigate = useNavigate();
  const finer = ['object', 'address', 'text', 'from', 'to'] as const;
  const search = (wanted: AuditSearchAddress): void => {
    void navigate({ to: '/access/audit', search: Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined && value.trim() !== '')) });
  };
  const text = (name: TextName, label: string, placeholder: string, hint?: string) => (
    <Field label={label} hint={hint}>
      {(attributes) => (
        <input
          {...attributes} className="input" autoComplete="off" autoCapitalize="none" spellCheck={false} maxLength={name === 'object' ? 256 : 64} placeholder={placeholder}
          value={draft[name] ?? ''} onChange={(event) => setDraft({ ...draft, [name]: event.target.value })}
        />
      )}
    </Field>
  );
  const moment = (name: 'from' | 'to', label: string) => (
    <Field label={label}>
      {(attributes) => <input {...attributes} type="datetime-local" className="input" value={draft[name] ?? ''} onChange={(event) => setDraft({ ...draft, [name]: event.target.value })} />}
    </Field>
  );
  return (
    <form aria-label="Search the log" className="card mb-5 p-4" onSubmit={(event) => { event.preventDefault(); search(draft); }}>
      <div className="grid items-start gap-4 sm:grid-cols-3">
        <Field label="Principal">{(attributes) => <PersonInput {...attributes} value={draft.principal ?? ''} onChange={(event) => setDraft({ ...draft, principal: event.target.value })} />}</Field>
        {text('action', 'Action', 'user.write, grant.*')}
        <Field label="Decision">
          {(attributes) => (
            <select
              {...attributes} className="input" value={draft.decision ?? ''}
              onChange={({ target }) => setDraft({ ...draft, decision: target.value === 'allowed' || target.value === 'refused' ? target.value : undefined })}
            >
              <option value="">Either</option><option value="allowed">Allowed</option><option value="refused">Refused</option>
            </select>
          )}
        </Field>
      </div>
      <details className="group mt-3" open={finer.some((name) => address[name] !== undefined) || undefined}>
        <summary className="-ml-1 inline-flex list-none items-center gap-1.5 rounded-lg px-1 py-1.5 text-sm font-medium text-muted hover:text-ink [&::-webkit-details-marker]:hidden">
          <Icon name="chevron" className="size-4 transition-transform group-open:rotate-90" />Object, address, words, time
        </summary>
        <div className="mt-2 grid items-start gap-4 sm:grid-cols-3">
          {text('object', 'Object', 'principal:alice', 'May end in *, as action and address may')}
          {text('address', 'Address', '192.0.2.*')}
          {text('text', 'Words', 'link', 'In object, reason and principal')}
          {moment('from', 'Not before')}
          {moment('to', 'Before')}
        </div>
      </details>
      <div className="mt-4 flex justify-end gap-2">
        <Button onClick={() => search({})}>Clear</Button>
        <Button tone="primary" type="submit"><Icon name="search" />Search</Button>
      </div>
    </form>
  );
}
