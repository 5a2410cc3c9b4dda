/** The finer conditions of a policy, folded away until someone wants them. */
import type { ComponentProps } from 'react';
import { Field } from '../ui/field.tsx';
import { Icon } from '../ui/icon.tsx';
import type { DraftErrors, PolicyDraft } from './policy-draft.ts';

type ConditionsProps = Readonly<{ draft: PolicyDraft; errors: DraftErrors; onChange: (changes: Partial<PolicyDraft>) => void }>;

export function PolicyConditions({ draft, errors, onChange }: ConditionsProps) {
  const text = (name: keyof PolicyDraft, label: string, hint: string, attributes: ComponentProps<'input'> = {}) => (
    <Field label={label} hint={hint} error={errors[name]}>
      {(wiring) => (
        <input
          {...attributes} {...wiring} className="input" autoComplete="off" spellCheck={false} value={draft[name]}
          onChange={(event) => onChange({ [name]: event.target.value })}
        />
      )}
    </Field>
  );
  return (
    <>
      {draft.level !== 'public' && (
        <div className="mt-4 grid gap-4 sm:grid-cols-2">
          {text('users', 'People', draft.level === 'protected' ? 'Empty: everyone who is signed in' : 'Names, separated by commas', { placeholder: 'alice, bob' })}
          {text('roles', 'Roles', 'Everyone who has one of these', { placeholder: 'viewer' })}
        </div>
      )}
      <details className="group mt-3" open={Object.keys(errors).length > 0 || undefined}>
        <summary className="-ml-1 inline-flex list-none items-center gap-1.5 rounded-lg px-1 py-1.5 text-sm font-medium text-muted hover:text-ink [&::-webkit-details-marker]:hidden">
          <Icon name="chevron" className="size-4 transition-transform group-open:rotate-90" />When, where, how many
        </summary>
        <div className="mt-2 grid gap-4 sm:grid-cols-2">
          {text('from', 'Not before', 'Your time zone', { type: 'datetime-local' })}
          {text('until', 'Not after', 'Players stop within a second', { type: 'datetime-local' })}
          {text('networks', 'Networks', 'Empty: from anywhere', { placeholder: '192.168.0.0/16' })}
          {text('concurrent', 'Players at a time', 'For each person; empty: any number', { inputMode: 'numeric', placeholder: '2' })}
          {draft.level !== 'public' && text('permissions', 'Permissions needed', 'Beside all of the above', { placeholder: 'read_content' })}
        </div>
      </details>
    </>
  );
}
