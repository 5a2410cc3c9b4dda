/** Follows what happens to the keys: void ones verify nothing from the same moment on, new ones are read without a restart. */
import { keysMoved, voidKey } from '@weir/data/security-stores/signing-keys';
import type { Epochs } from '@weir/security/epochs';
import type { Logger } from 'pino';
import type { Instance } from './instance.ts';

const againAfterMs = 1_000;

/** Register it before whoever decides again when something moves. */
export function followKeyChanges(epochs: Epochs, instance: Pick<Instance, 'signing' | 'reloadKeys'>, log: Logger): Disposable {
  let again: NodeJS.Timeout | undefined;
  const read = (): void => {
    clearTimeout(again);
    instance.reloadKeys().catch((error: unknown) => {
      log.error({ err: error }, 'the keys could not be read again; what was known is used, and it is tried once more');
      again = setTimeout(read, againAfterMs);
      again.unref();
    });
  };
  const stop = epochs.onMove((subjects) => {
    for (const subject of subjects) if (subject.startsWith(voidKey)) instance.signing.forget(subject.slice(voidKey.length));
    if (subjects.includes(keysMoved)) read();
  });
  return {
    [Symbol.dispose]() {
      clearTimeout(again);
      stop();
    },
  };
}
