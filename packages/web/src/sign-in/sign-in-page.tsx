/** Signing in: with a one-time link, a passkey, or at a provider. A page that only fetches the address, such as a link preview, spends nothing. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import * as auth from '@weir/sdk/auth';
import { RemoteError } from '@weir/sdk/remote-error';
import { useEffect, useEffectEvent, useState } from 'react';
import { api } from '../api.ts';
import { explain } from '../explain.ts';
import { ThemeToggle } from '../shell/theme-toggle.tsx';
import { Button } from '../ui/button.tsx';
import { CopyBlock } from '../ui/copy.tsx';
import { Logo } from '../ui/logo.tsx';
import { Notice } from '../ui/states.tsx';
import { Water } from '../ui/water.tsx';
import { takeLinkSecret } from './link-secret.ts';
import { OtherWays } from './other-ways.tsx';
import { problemInAddress, problemText } from './problems.ts';

export function SignInPage() {
  const [secret, setSecret] = useState(takeLinkSecret);
  const navigate = useNavigate();
  const cache = useQueryClient();
  const [problem] = useState(problemInAddress);
  const goOn = async (): Promise<void> => {
    await cache.resetQueries();
    await navigate({ to: '/', replace: true });
  };
  const signIn = useMutation({ mutationFn: (linkSecret: string) => auth.login(api, linkSecret), onSuccess: goOn });
  const begin = useEffectEvent(() => {
    if (secret !== null && signIn.isIdle && document.visibilityState === 'visible') signIn.mutate(secret);
  });
  // A new link pasted into this tab changes only the fragment, which loads nothing.
  const takePasted = useEffectEvent(() => {
    const pasted = takeLinkSecret();
    if (pasted === null) return;
    setSecret(pasted);
    signIn.mutate(pasted);
  });
  useEffect(() => {
    document.title = 'Sign in · Weir';
    begin();
    const takeNew = (): void => takePasted();
    addEventListener('hashchange', takeNew);
    return () => removeEventListener('hashchange', takeNew);
  }, []);  

  return (
    <main className="grid min-h-dvh place-items-center px-4 py-10">
      <Water />
      <div className="fixed top-3 right-3"><ThemeToggle /></div>
      <div className="relative w-full max-w-[26rem]">
        <div className="mb-7 flex flex-col items-center text-center">
          <Logo className="mb-4 size-14" />
          <h1 className="text-2xl font-semibold tracking-tight">Sign in to this Weir</h1>
          <p className="mt-1 text-sm text-muted">{location.host}</p>
        </div>
        <div className="card p-5 sm:p-6">
          {secret === null || signIn.isError
            ? (
              <>
                {signIn.isError && <Notice className="mb-5">{whyNot(signIn.error)}</Notice>}
                {!signIn.isError && problem !== null && <Notice className="mb-5">{problemText[problem]}</Notice>}
                <OtherWays onSignedIn={goOn} />
                <NewLink isNew={signIn.isError} />
              </>
            )
            : (
              <>
                <p className="mb-4 text-sm text-muted">Your link works once and for ten minutes. This browser stays signed in afterwards.</p>
                <Button tone="primary" className="w-full" disabled={signIn.isPending || signIn.isSuccess} onClick={() => signIn.mutate(secret)}>
                  {signIn.isPending || signIn.isSuccess ? 'Signing in…' : 'Sign in to this Weir'}
                </Button>
              </>
            )}
        </div>
      </div>
    </main>
  );
}

function whyNot(error: unknown): string {
  if (error instanceof RemoteError && error.status === 401) return 'This link was used already, is older than ten minutes, or belongs to another Weir.';
  return explain(error);
}

function NewLink({ isNew }: Readonly<{ isNew: boolean }>) {
  return (
    <>
      <h2 className="text-[0.9375rem] font-semibold">{isNew ? 'Get a new link' : 'Open a sign-in link'}</h2>
      <p className="mt-1 mb-3.5 text-sm text-muted">
        Weir has no passwords. On the machine that runs it, print a one-time link, and open it in this browser:
      </p>
      <CopyBlock text="weir admin user link NAME" label="Command" />
      <p className="mt-3.5 text-[0.8125rem] text-muted">
        NAME is you: on a new Weir, <code className="font-mono text-ink">admin</code>. Links last ten minutes. If you do not run this Weir, ask who does.
      </p>
    </>
  );
}
