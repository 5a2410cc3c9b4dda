/** Asks again and again whether a right still holds, because a player that has buffered ahead would not notice. */

/** Well inside the second that Weir promises, with room for the request itself on a slow machine. */
const askEveryMs = 350;

/**
 * Returns the first refusal; ends quietly when the signal aborts.
 * `ask` resolves while the right holds and rejects when it does not; `isRefusal` tells a refusal from a network that is down for a moment.
 */
export async function untilRefused(ask: (signal: AbortSignal) => Promise<unknown>, isRefusal: (error: unknown) => boolean, signal: AbortSignal): Promise<unknown> {
  while (!signal.aborted) {
    try {
      await ask(signal);
    } catch (error) {
      if (!signal.aborted && isRefusal(error)) return error;
    }
    await pause(askEveryMs, signal);
  }
  return undefined;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener('abort', finish);
  });
}
