/** Where somebody is signed in: oneself, or anybody for who may see all objects. */
import { useCaller } from '../../caller.ts';
import { CurlPopover } from '../../ui/curl-popover.tsx';
import { Page, Section } from '../../ui/page.tsx';
import { OwnerAddress, useAddress } from '../addresses.ts';
import { OwnerChoice } from '../owner-choice.tsx';
import { SessionList } from './session-list.tsx';

export function SessionsPage() {
  const { principal } = useCaller();
  const { owner = principal ?? '' } = useAddress(OwnerAddress);
  return (
    <Page title="Sessions" actions={<CurlPopover what={`List the sessions of ${owner}`} request={{ path: '/auth/sessions', query: { owner } }} />}>
      <OwnerChoice key={owner} page="/access/sessions" owner={owner} />
      <Section title={`Where ${owner === principal ? 'you are' : `${owner} is`} signed in`}><SessionList owner={owner} /></Section>
    </Page>
  );
}
