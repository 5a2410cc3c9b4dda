/** A renewed certificate is taken up without a restart: when its files change, and on SIGHUP. */
import { unwatchFile, watchFile } from 'node:fs';
import type { Logger } from 'pino';
import type { ServerTls } from './tls.ts';

const lookEveryMs = 10_000;

/** Looks at the files themselves, through links, as tools that renew certificates replace them in many ways. A bad pair is logged, and the old one stays. */
export function followCertificate(tls: ServerTls, log: Logger, everyMs = lookEveryMs): Disposable {
  let turn = Promise.resolve();
  const reload = (): void => {
    turn = turn.then(async () => {
      if (await tls.reload()) log.info({ fingerprint: tls.fingerprint }, 'the new certificate is used from now on');
    }).catch((error: unknown) => { log.error({ err: error }, 'the new certificate can not be used; the old one stays'); });
  };
  const files = [tls.files.cert, tls.files.key];
  for (const file of files) watchFile(file, { interval: everyMs, persistent: false }, reload);
  process.on('SIGHUP', reload);
  return {
    [Symbol.dispose]() {
      for (const file of files) unwatchFile(file, reload);
      process.off('SIGHUP', reload);
    },
  };
}
