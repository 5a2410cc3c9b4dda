/** Ends a stream that shows no content (events, logs, the input of a job) once the caller's right to it has ended. Content has its viewers. */
import { WeirError } from '@weir/contracts/errors';
import { subjectsOfEvidence, type AccessRequest, type Admission } from '@weir/security/gatekeeper';
import type { App } from './app.ts';
import type { StoredHolding } from './object-store.ts';

/** The longest wait a timer takes; later endings are looked at again then. */
const longestTimerMs = 86_400_000;

export type LastingRight = Disposable & Readonly<{ signal: AbortSignal }>;

/** The request is admitted again whenever something of the caller moved, and when its evidence ends by time; refused, the signal aborts. */
export function lastingRight(app: App, request: AccessRequest, admission: Admission<StoredHolding>): LastingRight {
  const { gatekeeper } = app;
  const { identity, address } = request;
  const ended = new AbortController();
  const askAgain = async (): Promise<void> => {
    try {
      await gatekeeper.admit({ ...request, identity: await gatekeeper.identities.recheck(identity, address) });
    } catch (cause) {
      ended.abort(new WeirError('identity.required', 'The right to this ended.', { cause }));
    }
  };
  const subjects = new Set(subjectsOfEvidence(identity));
  const stopListening = gatekeeper.epochs.onMove((moved) => { if (moved.some((subject) => subjects.has(subject))) void askAgain(); });
  const stopWaiting = gatekeeper.epochs.onLost(() => ended.abort(new WeirError('storage.failed')));
  // A right that moved while this was decided has told the others already: ask once more.
  if (gatekeeper.epochs.sequence !== admission.sequence) void askAgain();
  const timer = identity.expiresAtMs === Infinity ? undefined
    : setInterval(() => void askAgain(), Math.min(Math.max(identity.expiresAtMs - app.clock(), 0) + 10, longestTimerMs));
  timer?.unref();
  return {
    signal: ended.signal,
    [Symbol.dispose]() {
      clearInterval(timer);
      stopListening();
      stopWaiting();
    },
  };
}
