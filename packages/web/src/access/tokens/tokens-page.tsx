/** Tokens for programs: one's own, or anybody's for who may see all objects. */
import * as tokens from '@weir/sdk/tokens';
import { useState } from 'react';
import { api } from '../../api.ts';
import { useCaller, useMay } from '../../caller.ts';
import { Button } from '../../ui/button.tsx';
import { CurlPopover } from '../../ui/curl-popover.tsx';
import { Confirm } from '../../ui/dialog.tsx';
import { Icon } from '../../ui/icon.tsx';
import { Page, Section } from '../../ui/page.tsx';
import { OwnerAddress, useAddress } from '../addresses.ts';
import { OwnerChoice } from '../owner-choice.tsx';
import { tokensQuery } from '../queries.ts';
import { useChange } from '../use-change.ts';
import { IssueTokenDialog } from './issue-token-dialog.tsx';
import { TokenList } from './token-list.tsx';

export function TokensPage() {
  const { principal } = useCaller();
  const may = useMay();
  const { owner = principal ?? '' } = useAddress(OwnerAddress);
  const [issuing, setIssuing] = useState(false);
  const [asks, setAsks] = useState(false);
  const revokeAll = useChange({
    run: () => tokens.revokeAll(api, { owner }), done: ({ revoked }) => (revoked === 1 ? 'One token revoked' : `${revoked} tokens revoked`), failed: 'The tokens still work', refresh: [tokensQuery(owner).queryKey],
  });
  return (
    <Page
      title="Tokens"
      actions={<>
        <CurlPopover what={`List the tokens of ${owner}`} request={{ path: '/api/v1/tokens', query: { owner } }} />
        {may('use_account') && <Button tone="primary" onClick={() => setIssuing(true)}><Icon name="key" />Issue a token</Button>}
      </>}
    >
      <OwnerChoice key={owner} page="/access/tokens" owner={owner} />
      <Section
        title={owner === principal ? 'Your tokens' : `Tokens of ${owner}`}
        actions={<Button tone="withdraw" disabled={revokeAll.isPending} onClick={() => setAsks(true)}>Revoke all…</Button>}
      >
        <TokenList owner={owner} />
      </Section>
      <Confirm
        open={asks} onClose={() => setAsks(false)} onConfirm={() => revokeAll.mutate()} title={`Revoke all tokens of ${owner}?`} confirm="Revoke all"
        description="Programs that use them are refused at once. Browsers stay signed in."
      />
      {issuing && <IssueTokenDialog owner={owner} onClose={() => setIssuing(false)} />}
    </Page>
  );
}
