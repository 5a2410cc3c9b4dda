/** Where requests come from, as the server sees it, and who may come from there. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { SeenAddress } from '@weir/contracts/access';
import { useState } from 'react';
import { z } from 'zod';
import { Badge } from '../../ui/badge.tsx';
import { CurlPopover } from '../../ui/curl-popover.tsx';
import { Field } from '../../ui/field.tsx';
import { Facts, Page, Section } from '../../ui/page.tsx';
import { Asked } from '../asked.tsx';
import { admittedQuery, principalsQuery, seenAddressQuery } from '../queries.ts';

export function NetworksPage() {
  const seen = useQuery(seenAddressQuery);
  return (
    <Page title="Networks" actions={<CurlPopover what="Where the server sees you" request={{ path: '/api/v1/access/address' }} />}>
      <Asked query={seen} height="h-72">
        {(facts) => (
          <div className="grid items-start gap-5 lg:grid-cols-2">
            <Section title="Your address"><You seen={facts} /></Section>
            <Section title="Reverse proxies"><Proxies seen={facts} /></Section>
            <Scopes own={facts.address} />
          </div>
        )}
      </Asked>
    </Page>
  );
}

function You({ seen }: Readonly<{ seen: SeenAddress }>) {
  const { address, peer, forwarded_for: header, forwarded_counts: counts } = seen;
  return (
    <>
      <p className="mb-3 font-mono text-lg font-semibold break-all">{address}</p>
      <Facts rows={[
        ['Connection', peer === 'unix' ? 'by the Unix socket' : <span key="peer" className="font-mono text-[0.8125rem] break-all">{peer}</span>],
        ['X-Forwarded-For', header === null ? <span key="none" className="text-muted">not sent</span> : <span key="header" className="font-mono text-[0.8125rem] break-all">{header}</span>],
      ]} />
      <p className="mt-3 text-sm text-muted">{addressSentence(header, counts)}</p>
    </>
  );
}

function addressSentence(header: string | null, counts: boolean): string {
  if (header === null) return counts ? 'Your connection ends at a trusted proxy or on this machine, and it names nobody else: you are where it comes from.' : 'No proxy stands between, so the connection itself says where you are.';
  return counts ? 'The proxy is trusted, so the header says where you are, read from the right.' : 'Whoever connects is no trusted proxy, so what the header says does not count.';
}

function Proxies({ seen }: Readonly<{ seen: SeenAddress }>) {
  const rows: readonly (readonly [string, string])[] = [
    ['Trusted', seen.trusted_proxies.length === 0 ? 'nobody' : seen.trusted_proxies.join(', ')],
    ['All traffic by a proxy', seen.behind_proxy ? 'yes: without the header a proxy is refused' : 'no: requests may come directly'],
    ['TLS here', seen.tls ? 'yes' : 'no'],
    ['Role from a header', seen.role_header ?? 'no'], ['Name from a header', seen.user_header ?? 'no'],
  ];
  return <Facts rows={rows} />;
}

const Address = z.union([z.ipv4(), z.ipv6()]);

function Scopes({ own }: Readonly<{ own: string }>) {
  const [text, setText] = useState(own);
  const address = Address.safeParse(text.trim());
  const everyone = useInfiniteQuery(principalsQuery);
  const admitted = useQuery({ ...admittedQuery(address.data ?? ''), enabled: address.success });
  const names = new Set(admitted.data?.items.map(({ principal }) => principal));
  const rows = everyone.data?.pages[0]?.items ?? [];
  return (
    <Section
      title="Who may come from there" className="lg:col-span-2"
      actions={address.success && <CurlPopover what={`Who may come from ${address.data}`} request={{ path: '/api/v1/principals', query: { address: address.data } }} />}
    >
      <div className="mb-4 max-w-xs">
        <Field label="Address" error={address.success ? undefined : 'Write one address, such as 192.0.2.7.'}>
          {(attributes) => <input {...attributes} className="input font-mono" autoComplete="off" spellCheck={false} maxLength={45} value={text} onChange={(event) => setText(event.target.value)} />}
        </Field>
      </div>
      {address.success && (
        <Asked query={admitted}>
          {() => (
            <ul className="divide-y divide-line">
              {rows.map(({ principal, networks, disabled }) => (
                <li key={principal} className="flex flex-wrap items-center gap-x-3 gap-y-1 py-2">
                  <Link to="/access/principals/$name" params={{ name: principal }} className="link min-w-0 text-sm font-medium break-all">{principal}</Link>
                  <span className="min-w-0 flex-1 basis-40 text-[0.8125rem] break-words text-muted">{networks.length === 0 ? 'from anywhere' : `only from ${networks.join(', ')}`}</span>
                  {disabled ? <Badge tone="neutral">Disabled</Badge> : names.has(principal) ? <Badge tone="accent" icon="check">Admitted</Badge> : <Badge tone="danger">Refused</Badge>}
                </li>
              ))}
            </ul>
          )}
        </Asked>
      )}
      {everyone.hasNextPage && <p className="mt-3 text-[0.8125rem] text-muted">These are the first {rows.length} names. The command above asks about the rest.</p>}
    </Section>
  );
}
