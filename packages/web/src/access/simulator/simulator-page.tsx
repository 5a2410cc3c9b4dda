/** Whether somebody may do something, clause by clause, told by the gate itself. */
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useCaller, useMay } from '../../caller.ts';
import { Button } from '../../ui/button.tsx';
import { CurlPopover } from '../../ui/curl-popover.tsx';
import { Field } from '../../ui/field.tsx';
import { Page, Section } from '../../ui/page.tsx';
import { Segments } from '../../ui/segments.tsx';
import { Empty } from '../../ui/states.tsx';
import { SimulatorAddress, useAddress } from '../addresses.ts';
import { Asked } from '../asked.tsx';
import { PersonInput } from '../person-input.tsx';
import { abilitiesQuery, explanationQuery } from '../queries.ts';
import { RoleSelect } from '../role-select.tsx';
import { questionOf, type Question } from './question.ts';
import { Verdict } from './verdict.tsx';

export function SimulatorPage() {
  const question = useAddress(SimulatorAddress);
  const request = questionOf(question);
  return (
    <Page title="Simulator" {...(request === undefined ? {} : { actions: <CurlPopover what="Ask this" request={{ method: 'POST', path: '/api/v1/access/explain', json: request }} /> })}>
      <div className="grid items-start gap-5 lg:grid-cols-[22rem_minmax(0,1fr)]">
        <Ask key={JSON.stringify(question)} question={question} />
        {request === undefined
          ? <div className="card"><Empty icon="shield" title="May somebody do something?"><p>Name who and what. The answer comes from the gate that every request passes, and names each clause that it looked at.</p></Empty></div>
          : <Answer request={request} />}
      </div>
    </Page>
  );
}

function Answer({ request }: Readonly<{ request: NonNullable<ReturnType<typeof questionOf>> }>) {
  const query = useQuery(explanationQuery(request));
  return <Asked query={query} height="h-60">{(explanation) => <Verdict request={request} explanation={explanation} />}</Asked>;
}

function Ask({ question }: Readonly<{ question: Question }>) {
  const may = useMay();
  const { principal: self } = useCaller();
  const everything = may('manage_users');
  const [who, setWho] = useState<'principal' | 'role'>(question.role === undefined ? 'principal' : 'role');
  const [draft, setDraft] = useState<Question>({ action: 'content.read', role: 'viewer', principal: self ?? '', ...question });
  const actions = useQuery({ ...abilitiesQuery({ role: 'none' }), enabled: everything });
  const navigate = useNavigate();
  const set = (changes: Question): void => setDraft({ ...draft, ...changes });
  const names = actions.data?.items.map(({ action }) => action) ?? [];
  const action = draft.action ?? 'content.read';
  const ask = (): void => {
    const { principal, role, ...rest } = draft;
    const subject = who === 'role' ? { role } : { principal: principal?.trim() };
    const filled = Object.fromEntries(Object.entries({ ...rest, ...subject }).filter(([, value]) => value !== undefined && value.trim() !== ''));
    void navigate({ to: '/access/simulator', search: filled });
  };
  return (
    <Section title="Question">
      <form className="grid gap-4" onSubmit={(event) => { event.preventDefault(); ask(); }}>
        {everything && <div className="w-max"><Segments label="Who" value={who} onChange={setWho} options={[{ value: 'principal', label: 'A principal' }, { value: 'role', label: 'Any with a role' }]} /></div>}
        {who === 'role'
          ? <Field label="Role">{(attributes) => <RoleSelect {...attributes} value={draft.role} onChange={(event) => set({ role: event.target.value })} />}</Field>
          : <Field label="Principal" hint="anonymous: whoever is not signed in">{(attributes) => <PersonInput {...attributes} value={draft.principal} onChange={(event) => set({ principal: event.target.value })} />}</Field>}
        {everything && (
          <Field label="Action">
            {(attributes) => (
              <select {...attributes} className="input font-mono text-sm" value={action} onChange={(event) => set({ action: event.target.value })}>
                {(names.includes(action) ? names : [action, ...names]).map((name) => <option key={name} value={name}>{name}</option>)}
              </select>
            )}
          </Field>
        )}
        <Field label="Object" hint={everything ? 'A content id, or job:ID, grant:ID, token:ID, session:ID, holding:ID' : 'The id of a content of yours'}>
          {(attributes) => <input {...attributes} className="input font-mono text-sm" autoComplete="off" spellCheck={false} maxLength={300} value={draft.object ?? ''} onChange={(event) => set({ object: event.target.value })} />}
        </Field>
        <Field label="From the address" hint="Empty: this machine">
          {(attributes) => <input {...attributes} className="input font-mono text-sm" autoComplete="off" spellCheck={false} maxLength={45} placeholder="192.0.2.7" value={draft.address ?? ''} onChange={(event) => set({ address: event.target.value })} />}
        </Field>
        <Field label="At" hint="Empty: now; in your time zone">
          {(attributes) => <input {...attributes} type="datetime-local" className="input" value={draft.at ?? ''} onChange={(event) => set({ at: event.target.value })} />}
        </Field>
        <Button tone="primary" type="submit">Ask the gate</Button>
      </form>
    </Section>
  );
}
