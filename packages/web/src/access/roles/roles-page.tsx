/** What roles may do. They are defined in the configuration; here they are shown. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import type { Role } from '@weir/contracts/access';
import { useCaller } from '../../caller.ts';
import { CurlPopover } from '../../ui/curl-popover.tsx';
import { Facts, Page, Section } from '../../ui/page.tsx';
import { Abilities } from '../abilities.tsx';
import { RolesAddress, useAddress } from '../addresses.ts';
import { Asked } from '../asked.tsx';
import { principalsQuery, rolesQuery } from '../queries.ts';
import { RoleSelect } from '../role-select.tsx';
import { groupPermissions } from './permission-groups.ts';
import { RoleMatrix, RolePermissions } from './role-matrix.tsx';

export function RolesPage() {
  const { permissions } = useCaller();
  const search = useAddress(RolesAddress);
  const navigate = useNavigate();
  const query = useQuery(rolesQuery);
  const groups = groupPermissions(Object.keys(permissions));
  return (
    <Page title="Roles" actions={<CurlPopover what="List the roles" request={{ path: '/api/v1/roles' }} />}>
      <p className="-mt-3 mb-5 max-w-2xl text-sm text-muted">
        A role holds what the configuration says under <code className="font-mono text-ink">[permissions.roles.NAME]</code>; what is not said is refused. A role never opens the private content of others.
      </p>
      <Asked query={query} height="h-96">
        {({ items }) => {
          const chosen = items.find(({ role }) => role === search.role) ?? items.find(({ role }) => role === 'user') ?? items[0];
          if (chosen === undefined) return null;
          return (
            <>
              <div className="mb-4 md:hidden">
                <RoleSelect aria-label="Role" value={chosen.role} onChange={(event) => { void navigate({ to: '/access/roles', search: { role: event.target.value }, replace: true, resetScroll: false }); }} />
              </div>
              <RoleMatrix roles={items} groups={groups} chosen={chosen.role} />
              <RolePermissions role={chosen} groups={groups} />
              <div className="mt-5 grid items-start gap-5 lg:grid-cols-2">
                <div className="min-w-0 space-y-5"><RoleFacts role={chosen} /><Members role={chosen} /></div>
                <Abilities key={chosen.role} who={{ role: chosen.role }} name={`the role ${chosen.role}`} />
              </div>
            </>
          );
        }}
      </Asked>
    </Page>
  );
}

function RoleFacts({ role }: Readonly<{ role: Role }>) {
  const patterns = (list: readonly string[]) => (list.length === 0
    ? <span className="text-muted">nothing</span>
    : <span className="flex flex-wrap gap-1.5">{list.map((pattern) => <code key={pattern} className="rounded-lg bg-sunken px-2 py-0.5 font-mono text-xs break-all">{pattern}</code>)}</span>);
  return (
    <Section title={`The role ${role.role}`}>
      <Facts rows={[
        ['Defined', role.builtin ? 'built in' : 'in the configuration'],
        ['Permissions', String(role.permissions.length)],
        ['Samples', patterns(role.allowed_samples)], ['Nodes', patterns(role.allowed_nodes)], ['Plugins', patterns(role.allowed_plugins)], ['Assets', patterns(role.allowed_assets)],
      ]} />
    </Section>
  );
}

const mostNamed = 20;

function Members({ role: { role, principals } }: Readonly<{ role: Role }>) {
  const list = useInfiniteQuery(principalsQuery);
  const members = list.data?.pages.flatMap(({ items }) => items.filter((one) => one.role === role)) ?? [];
  return (
    <Section title="Who has it" actions={principals > 0 && <Link to="/access/principals" search={{ role }} className="link text-[0.8125rem]">All of them</Link>}>
      {members.length === 0 ? <p className="text-sm text-muted">{principals === 0 ? 'Nobody who is not disabled.' : `${principals} of them; none of the first names.`}</p> : (
        <ul className="flex flex-wrap gap-x-3 gap-y-1.5 text-sm">
          {members.slice(0, mostNamed).map(({ principal, disabled }) => (
            <li key={principal}><Link to="/access/principals/$name" params={{ name: principal }} className="link">{principal}</Link>{disabled && <span className="text-muted"> (disabled)</span>}</li>
          ))}
          {members.length > mostNamed && <li className="text-muted">{`and ${members.length - mostNamed} more`}</li>}
        </ul>
      )}
    </Section>
  );
}
