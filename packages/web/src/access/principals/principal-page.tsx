/** One principal: who it is, what it may, its evidence, what it has open, and its end. */
import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import type { Principal } from '@weir/contracts/identity';
import { useMay } from '../../caller.ts';
import { formatInstant } from '../../format.ts';
import { PageFailure } from '../../shell/page-failure.tsx';
import { Badge } from '../../ui/badge.tsx';
import { buttonClass } from '../../ui/button.tsx';
import { CurlPopover } from '../../ui/curl-popover.tsx';
import { Icon } from '../../ui/icon.tsx';
import { Facts, Page, Section } from '../../ui/page.tsx';
import { Loading, Skeleton } from '../../ui/states.tsx';
import { Abilities } from '../abilities.tsx';
import { GrantList } from '../grants/grant-list.tsx';
import { principalQuery } from '../queries.ts';
import { SessionList } from '../sessions/session-list.tsx';
import { TokenList } from '../tokens/token-list.tsx';
import { ExternalIdentities } from './external-identities.tsx';
import { PrincipalEnd } from './principal-end.tsx';
import { PrincipalEvidence } from './principal-evidence.tsx';
import { PrincipalRights } from './principal-rights.tsx';

export function PrincipalPage() {
  const { name = '' }: { name?: string } = useParams({ strict: false });
  const query = useQuery(principalQuery(name));
  if (query.isPending) return <Page title={name}><Loading><Skeleton className="h-96 w-full rounded-2xl" /></Loading></Page>;
  if (query.isError) return <PageFailure title={name} error={query.error} onRetry={() => { void query.refetch(); }} />;
  return <LoadedPrincipal key={name} principal={query.data} />;
}

function LoadedPrincipal({ principal }: Readonly<{ principal: Principal }>) {
  const may = useMay();
  const { principal: name, kind, role, disabled, networks, created_at: created } = principal;
  return (
    <Page
      title={name}
      heading={<>
        <Link to="/access/principals" className="mb-1.5 inline-flex items-center gap-1 rounded text-sm text-muted hover:text-ink"><Icon name="back" className="size-4" />Principals</Link>
        <div className="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-1">
          <h1 className="min-w-0 text-2xl font-semibold tracking-tight break-words">{name}</h1>
          {disabled && <Badge tone="danger">Disabled</Badge>}
        </div>
      </>}
      actions={<>
        <CurlPopover what="Show this principal" request={{ path: `/api/v1/principals/${name}` }} />
        {may('view_audit') && <Link to="/access/audit" search={{ principal: name }} className={buttonClass()}>What it did</Link>}
        <Link to="/access/simulator" search={{ principal: name }} className={buttonClass()}>Simulate</Link>
      </>}
    >
      <div className="grid items-start gap-5 lg:grid-cols-2">
        <div className="min-w-0 space-y-5">
          <Section title="Facts">
            <Facts rows={[
              ['Kind', kind],
              ['Role', <Link key="role" to="/access/roles" search={{ role }} className="link">{role}</Link>],
              ['Comes from', networks.length === 0 ? 'anywhere' : networks.join(', ')],
              ['Added', formatInstant(created)],
            ]} />
          </Section>
          <PrincipalRights principal={principal} />
          {may('access_all_objects') && <>
            <Section title="Tokens"><TokenList owner={name} /></Section>
            <Section title="Sessions"><SessionList owner={name} /></Section>
            <Section title="Grants"><GrantList owner={name} /></Section>
          </>}
          <ExternalIdentities name={name} />
        </div>
        <div className="min-w-0 space-y-5">
          <PrincipalEvidence principal={principal} />
          <Abilities who={{ principal: name }} name={name} />
        </div>
        <PrincipalEnd principal={principal} />
      </div>
    </Page>
  );
}
