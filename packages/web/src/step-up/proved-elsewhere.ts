/** The window that went to a provider tells the page that waits for it. The two share no opener: the provider's page cuts that. */
import { SignInProblem } from '@weir/contracts/sign-in';

const channelName = 'weir-step-up';

/** `problem` is null when it was proved. */
export function tellProved(problem: SignInProblem | null): void {
  const channel = new BroadcastChannel(channelName);
  channel.postMessage(problem);
  channel.close();
}

/** Returns the function that stops listening. */
export function onProvedElsewhere(listener: (problem: SignInProblem | null) => void): () => void {
  const channel = new BroadcastChannel(channelName);
  channel.onmessage = ({ data }: MessageEvent<unknown>) => listener(SignInProblem.safeParse(data).data ?? null);
  return () => channel.close();
}
