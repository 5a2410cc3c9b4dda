/** A whole server for measurements: SQLite with synchronous=FULL, audit, limits, and ten thousand principals. Prints where it listens and its tokens. */
import { addHmacKey, addPrincipal } from '@weir/data/security-stores/principals';
import { issueToken } from '@weir/data/security-stores/tokens';
import { loadConfig } from '../../src/config/load.ts';
import { serve } from '../../src/serve.ts';

const many = '{ limit = 1000000, period = 10 }';
const limits = Object.fromEntries(['DEFAULT', 'UPLOAD', 'JOBS', 'STREAMING', 'SIGNALING', 'AUTH_FAILURES'].map((name) => [`WEIR_STREAMING_SECURITY__RATE_LIMITS__${name}`, many]));
const { config } = loadConfig({ environment: { ...process.env, ...limits, WEIR_SERVER__PORT: '0', WEIR_LOG__LEVEL: 'error', WEIR_FLEET__ENABLED: 'false' } });
const { app, url } = await serve({ config, environment: process.env, builtInWorker: false });
const principals = Number(process.env['BENCH_PRINCIPALS'] ?? 10_000);
const signers: { name: string; token: string }[] = [];
for (let from = 0; from < principals; from += 500) {
  await app.data.write(async (tx) => {
    for (let i = from; i < Math.min(from + 500, principals); i += 1) {
      const name = `user-${i}`;
      await addPrincipal(tx, app.roles, { id: name, role: 'user' }, app.clock());
      await addHmacKey(tx, app.keyRing, name, { now: app.clock(), given: process.env['BENCH_KEY'] ?? '' });
      const order = { principal: name, issuer: 'operator', expiresInSeconds: 86_400 };
      if (i < 1_000) signers.push({ name, token: (await issueToken(tx, { issuer: app.tokenAudience, audience: app.tokenAudience, key: app.signing.access.signing, roles: app.roles }, order, { now: app.clock() })).token });
    }
  });
}
process.stdout.write(`${JSON.stringify({ port: Number(new URL(url).port), signers })}\n`);
process.stdin.resume().once('end', () => process.exit(0));
