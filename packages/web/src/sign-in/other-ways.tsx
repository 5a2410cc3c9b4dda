/** Signing in without a link: with a passkey, or at a provider. */
import { useMutation, useQuery } from '@tanstack/react-query';
import * as auth from '@weir/sdk/auth';
import { api } from '../api.ts';
import { explain } from '../explain.ts';
import { methodsQuery } from '../queries.ts';
import { Button, buttonClass } from '../ui/button.tsx';
import { Icon } from '../ui/icon.tsx';
import { Notice } from '../ui/states.tsx';
import { askAuthenticator } from './authenticator.ts';

export function OtherWays({ onSignedIn }: Readonly<{ onSignedIn: () => Promise<void> }>) {
  const methods = useQuery(methodsQuery);
  const signIn = useMutation({
    mutationFn: async () => auth.loginWithPasskey(api, await askAuthenticator(await auth.passkeyChallenge(api))),
    onSuccess: onSignedIn,
  });
  const { passkeys = false, providers = [] } = methods.data ?? {};
  if (!passkeys && providers.length === 0) return null;
  return (
    <div className="mb-5 grid gap-2 border-b border-line pb-5">
      {signIn.isError && <Notice className="mb-2">{explain(signIn.error)}</Notice>}
      {passkeys && (
        <Button tone="primary" disabled={signIn.isPending || signIn.isSuccess} onClick={() => signIn.mutate()}><Icon name="key" />Sign in with a passkey</Button>
      )}
      {providers.map(({ name }) => (
        <a key={name} href={`/auth/oidc/${name}`} className={buttonClass()}><Icon name="globe" />Sign in with {name}</a>
      ))}
    </div>
  );
}
