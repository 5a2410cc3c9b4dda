/** Links: signed, narrow, expiring rights to one content, all that somebody gave. */
import { useCaller } from '../../caller.ts';
import { CurlPopover } from '../../ui/curl-popover.tsx';
import { Page, Section } from '../../ui/page.tsx';
import { OwnerAddress, useAddress } from '../addresses.ts';
import { OwnerChoice } from '../owner-choice.tsx';
import { GrantList } from './grant-list.tsx';

export function GrantsPage() {
  const { principal } = useCaller();
  const { owner = principal ?? '' } = useAddress(OwnerAddress);
  return (
    <Page title="Grants" actions={<CurlPopover what={`List the links that ${owner} gave`} request={{ path: '/api/v1/grants', query: { owner } }} />}>
      <OwnerChoice key={owner} page="/access/grants" owner={owner} />
      <Section title={`Links that ${owner === principal ? 'you' : owner} gave`}><GrantList owner={owner} /></Section>
    </Page>
  );
}
