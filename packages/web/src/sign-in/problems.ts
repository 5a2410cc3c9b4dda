/** Why a provider sent somebody back without a sign-in, in words that say what to do. */
import { SignInProblem } from '@weir/contracts/sign-in';

export const problemText: Readonly<Record<SignInProblem, string>> = {
  expired: 'That took longer than ten minutes, or was begun in another browser. Start again here.',
  unreachable: 'The provider does not answer. Try again shortly; if it goes on, tell who runs this Weir.',
  refused: 'The provider refused, or its answer was not believed. Start again; if it happens again, who runs this Weir finds the reason in the log.',
  unlinked: 'Nobody here is linked to that account. Sign in another way and link it on your account page, or ask who runs this Weir.',
  unmapped: 'Your account there has no role here. Ask who runs this Weir.',
  domain: 'Only verified e-mail addresses of certain domains may sign in here, and yours there is none. Ask who runs this Weir.',
  disabled: 'This principal is disabled. Ask who runs this Weir.',
  linked_elsewhere: 'That account is linked to a principal already; unlink it there first.',
};

/** What the address of this page says went wrong; null where it says nothing that is known. */
export const problemInAddress = (): SignInProblem | null => SignInProblem.safeParse(new URLSearchParams(location.search).get('problem')).data ?? null;
