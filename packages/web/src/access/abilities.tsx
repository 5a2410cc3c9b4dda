/** What a principal or a role can do at all: every action, and whose objects it reaches. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { Ability } from '@weir/contracts/access';
import { useState } from 'react';
import { CurlPopover } from '../ui/curl-popover.tsx';
import { Icon } from '../ui/icon.tsx';
import { Section } from '../ui/page.tsx';
import { Segments } from '../ui/segments.tsx';
import { Asked } from './asked.tsx';
import { abilitiesQuery, type Who } from './queries.ts';

const reaches: Readonly<Record<Ability['reach'], string>> = { own: 'its own', all: 'everybody’s', policy: 'as the policy says', leased: 'of the jobs it holds' };

/** `name` in a sentence: who it is about. */
export function Abilities({ who, name }: Readonly<{ who: Who; name: string }>) {
  const [shown, setShown] = useState<'may' | 'not'>('may');
  const query = useQuery(abilitiesQuery(who));
  return (
    <Section
      title={`What ${name} can do`}
      actions={<>
        <CurlPopover what={`What ${name} can do`} request={{ path: '/api/v1/access/actions', query: who }} />
        <Segments label="Which actions" value={shown} onChange={setShown} options={[{ value: 'may', label: 'May' }, { value: 'not', label: 'May not' }]} />
      </>}
    >
      <Asked query={query}>
        {({ items }) => {
          const rows = items.filter(({ allowed }) => allowed === (shown === 'may'));
          if (rows.length === 0) return <p className="text-sm text-muted">{shown === 'may' ? 'Nothing at all.' : 'There is nothing that it may not.'}</p>;
          return (
            <table className="w-full text-left text-sm">
              <thead className="text-[0.8125rem] text-muted">
                <tr>
                  <th scope="col" className="pb-2 font-medium">Action</th>
                  <th scope="col" className="pb-2 pl-3 font-medium">{shown === 'may' ? 'Of what' : 'It lacks'}</th>
                  <th scope="col" className="pb-2 text-right font-medium"><span className="sr-only">Simulate</span></th>
                </tr>
              </thead>
              <tbody className="divide-y divide-line">
                {rows.map(({ action, reach, permissions, reason }) => (
                  <tr key={action}>
                    <th scope="row" className="py-1.5 font-mono text-[0.8125rem] font-normal break-all">{action}</th>
                    <td className="py-1.5 pl-3 text-[0.8125rem] text-muted">{shown === 'may' ? reaches[reach] : permissions.join(', ') || reason}</td>
                    <td className="py-0.5 text-right">
                      <Link
                        to="/access/simulator" search={{ ...who, action }} aria-label={`Simulate ${action}`} title="Simulate"
                        className="inline-flex size-8 items-center justify-center rounded-lg text-muted hover:bg-hover hover:text-ink"
                      >
                        <Icon name="chevron" className="size-4" />
                      </Link>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          );
        }}
      </Asked>
    </Section>
  );
}
