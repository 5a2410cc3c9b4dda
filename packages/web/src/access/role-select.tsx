/** A field that chooses one of the roles. */
import { useQuery } from '@tanstack/react-query';
import type { ComponentProps } from 'react';
import { rolesQuery } from './queries.ts';

export function RoleSelect({ none, ...attributes }: ComponentProps<'select'> & Readonly<{ /** The text of the choice of no role. */ none?: string }>) {
  const roles = useQuery(rolesQuery);
  const names = roles.data?.items.map(({ role }) => role) ?? [];
  const current = String(attributes.value ?? '');
  return (
    <select className="input" {...attributes}>
      {none !== undefined && <option value="">{none}</option>}
      {(current === '' || names.includes(current) ? names : [...names, current]).map((name) => <option key={name} value={name}>{name}</option>)}
    </select>
  );
}
