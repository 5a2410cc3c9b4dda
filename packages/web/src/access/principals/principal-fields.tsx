/** The fields of what a principal may: role, further permissions, networks, how far its clock may be off. */
import { Field } from '../../ui/field.tsx';
import { RoleSelect } from '../role-select.tsx';
import type { PrincipalDraft, PrincipalErrors } from './principal-draft.ts';

type FieldsProps = Readonly<{ draft: PrincipalDraft; errors: PrincipalErrors; onChange: (changes: Partial<PrincipalDraft>) => void }>;

export function PrincipalFields({ draft, errors, onChange }: FieldsProps) {
  const text = (name: 'permissions' | 'networks' | 'skew', label: string, hint: string, placeholder: string) => (
    <Field label={label} hint={hint} error={errors[name]}>
      {(attributes) => (
        <input
          {...attributes} className="input" autoComplete="off" autoCapitalize="none" spellCheck={false} placeholder={placeholder} value={draft[name]}
          onChange={(event) => onChange({ [name]: event.target.value })}
        />
      )}
    </Field>
  );
  return (
    <div className="grid gap-4 sm:grid-cols-2">
      <Field label="Role" hint="What it may do">
        {(attributes) => <RoleSelect {...attributes} value={draft.role} onChange={(event) => onChange({ role: event.target.value })} />}
      </Field>
      {text('permissions', 'Own permissions', 'Beside those of the role', 'view_audit')}
      {text('networks', 'Networks', 'Where it may come from; empty: anywhere', '192.0.2.0/24')}
      {text('skew', 'Clock tolerance, seconds', 'Of its signatures; more than 30 for old peers only', '30')}
    </div>
  );
}
