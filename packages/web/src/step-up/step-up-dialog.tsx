/** Asks who uses this page, before something that a stolen session must not be enough for. */
import { useMutation, useQuery } from '@tanstack/react-query';
import * as auth from '@weir/sdk/auth';
import * as identities from '@weir/sdk/identities';
import { useEffect, useState } from 'react';
import { plainApi } from '../api.ts';
import { useCaller } from '../caller.ts';
import { explain } from '../explain.ts';
import { identitiesQuery, methodsQuery, passkeysQuery } from '../queries.ts';
import { askAuthenticator } from '../sign-in/authenticator.ts';
import { problemText } from '../sign-in/problems.ts';
import { Button } from '../ui/button.tsx';
import { CopyBlock } from '../ui/copy.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Field } from '../ui/field.tsx';
import { Icon } from '../ui/icon.tsx';
import { Notice } from '../ui/states.tsx';
import { answerProof, useProofAsked } from './proof.ts';
import { onProvedElsewhere } from './proved-elsewhere.ts';

export const StepUpDialog = () => (useProofAsked() ? <Asking /> : null);

function Asking() {
  const { principal } = useCaller();
  const [link, setLink] = useState('');
  const [refusal, setRefusal] = useState('');
  const methods = useQuery(methodsQuery);
  const passkeys = useQuery(passkeysQuery);
  const linked = useQuery(identitiesQuery);
  const settled = { onMutate: () => setRefusal(''), onError: (error: unknown) => setRefusal(explain(error)) };
  const proved = { ...settled, onSuccess: () => answerProof(true) };
  const byPasskey = useMutation({
    ...proved,
    mutationFn: async () => auth.stepUp(plainApi, { method: 'passkey', assertion: await askAuthenticator(await auth.stepUpChallenge(plainApi)) }),
  });
  const byLink = useMutation({ ...proved, mutationFn: () => auth.stepUp(plainApi, { method: 'link', secret: link.trim().split('#').at(-1) ?? '' }) });
  const byProvider = useMutation({ ...settled, mutationFn: goTo });
  useEffect(() => onProvedElsewhere((problem) => {
    if (problem === null) answerProof(true);
    else setRefusal(problemText[problem]);
  }), []);

  const hasPasskey = methods.data?.passkeys === true && passkeys.data?.items.some(({ host }) => host === location.hostname) === true;
  const providers = new Set(linked.data?.items.flatMap(({ provider }) => provider ?? []));
  const isBusy = byPasskey.isPending || byLink.isPending;
  return (
    <Dialog open onClose={() => answerProof(false)} title="Is it still you?" description="This changes who may do what, so it needs a proof that is younger than ten minutes.">
      {refusal !== '' && <Notice className="mb-4">{refusal}</Notice>}
      {(hasPasskey || providers.size > 0) && (
        <div className="mb-5 grid gap-2">
          {hasPasskey && <Button tone="primary" disabled={isBusy} onClick={() => byPasskey.mutate()}><Icon name="key" />Use a passkey</Button>}
          {[...providers].map((name) => (
            <Button key={name} disabled={byProvider.isPending} onClick={() => byProvider.mutate(name)}><Icon name="globe" />Sign in again at {name}</Button>
          ))}
        </div>
      )}
      <form onSubmit={(event) => { event.preventDefault(); byLink.mutate(); }}>
        <Field label="New sign-in link" hint="Made on the machine that runs Weir, by the command below. It is used up here.">
          {(attributes) => <input {...attributes} className="input" type="password" autoComplete="off" value={link} onChange={(event) => setLink(event.target.value)} />}
        </Field>
        <div className="mt-3"><CopyBlock text={`weir admin user link ${principal ?? 'NAME'}`} label="Command" /></div>
        <div className="mt-5 flex justify-end gap-2">
          <Button onClick={() => answerProof(false)}>Cancel</Button>
          <Button tone={hasPasskey ? 'plain' : 'primary'} type="submit" disabled={isBusy || link.trim().length < 20}>Go on with this link</Button>
        </div>
      </form>
    </Dialog>
  );
}

/** The window is opened at once, while the click still allows it, and sent on when the server says where. */
async function goTo(provider: string): Promise<void> {
  const popup = open('', '_blank', 'popup,width=520,height=680');
  try {
    const { location: place } = await identities.stepUp(plainApi, provider);
    if (popup !== null) popup.location.href = place;
  } catch (error) {
    popup?.close();
    throw error;
  }
}
