/** Which role holds which permission: a table where there is room, one role at a time on a phone. */
import { Link } from '@tanstack/react-router';
import type { Role } from '@weir/contracts/access';
import { cx } from '../../ui/class-names.ts';
import { Icon } from '../../ui/icon.tsx';
import type { PermissionGroup } from './permission-groups.ts';

type MatrixProps = Readonly<{ roles: readonly Role[]; groups: readonly PermissionGroup[]; chosen: string }>;

export function RoleMatrix({ roles, groups, chosen }: MatrixProps) {
  return (
    <div role="region" aria-label="Roles and their permissions" tabIndex={0} className="card hidden max-h-[75dvh] overflow-auto md:block">
      <table className="w-full border-separate border-spacing-0 text-sm">
        <thead>
          <tr>
            <th scope="col" className="sticky top-0 left-0 z-20 border-b border-line bg-surface px-4 py-3 text-left font-medium text-muted">Permission</th>
            {roles.map(({ role, principals }) => (
              <th key={role} scope="col" className={cx('sticky top-0 z-10 border-b border-line px-3 py-2.5 font-medium', role === chosen ? 'bg-accent-soft' : 'bg-surface')}>
                <Link to="/access/roles" search={{ role }} resetScroll={false} className={role === chosen ? 'text-accent-strong' : 'link'}>{role}</Link>
                <span className="block text-xs font-normal text-muted tabular-nums">{principals === 0 ? 'nobody' : principals}</span>
              </th>
            ))}
          </tr>
        </thead>
        {groups.map(({ title, permissions }) => (
          <tbody key={title}>
            <tr><th scope="colgroup" colSpan={roles.length + 1} className="border-b border-line bg-sunken px-4 py-1.5 text-left text-xs font-semibold text-muted"><span className="sticky left-4">{title}</span></th></tr>
            {permissions.map(({ name, means }) => (
              <tr key={name} className="group">
                <th scope="row" className="sticky left-0 z-[1] border-b border-line bg-surface px-4 py-1.5 text-left font-normal group-hover:bg-hover">
                  <span className="block font-mono text-[0.8125rem]">{name}</span>
                  <span className="block text-xs text-muted">{means}</span>
                </th>
                {roles.map((role) => (
                  <td key={role.role} className={cx('border-b border-line px-3 py-1.5 text-center', role.role === chosen ? 'bg-accent-soft' : 'group-hover:bg-hover')}>
                    <Mark held={role.permissions.includes(name)} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        ))}
      </table>
    </div>
  );
}

/** The permissions of one role, for narrow windows. */
export function RolePermissions({ role, groups }: Readonly<{ role: Role; groups: readonly PermissionGroup[] }>) {
  return (
    <div className="card divide-y divide-line md:hidden">
      {groups.map(({ title, permissions }) => (
        <section key={title} aria-label={title} className="p-4">
          <h2 className="mb-2 text-xs font-semibold text-muted">{title}</h2>
          <ul className="space-y-2">
            {permissions.map(({ name, means }) => (
              <li key={name} className="flex items-center gap-3">
                <Mark held={role.permissions.includes(name)} />
                <span className="min-w-0"><span className="block font-mono text-[0.8125rem]">{name}</span><span className="block text-xs text-muted">{means}</span></span>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </div>
  );
}

function Mark({ held }: Readonly<{ held: boolean }>) {
  return held
    ? <span className="inline-block w-5 text-center text-accent"><Icon name="check" className="mx-auto size-4.5" /><span className="sr-only">yes</span></span>
    : <span className="inline-block w-5 text-center text-muted"><span aria-hidden="true">–</span><span className="sr-only">no</span></span>;
}
