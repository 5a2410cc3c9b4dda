/** Refusals cost the same cryptography whatever is known of the principal: counted, not timed. */
import crypto, { createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Epochs } from '../src/epochs.ts';
import { EvidenceRefused, Identities } from '../src/identity.ts';
import { compileNetworks, everywhere } from '../src/networks.ts';
import type { PrincipalRecord, RequestKey } from '../src/principals.ts';
import { digestOfBody, signDffmpeg } from '../src/request-signing/dffmpeg.ts';
import { newNonce, readRequestSignature, signRequest, type MessageKey } from '../src/request-signing/http-message.ts';
import { builtinRoles } from '../src/roles.ts';

const nowMs = 1_800_000_000_000;
const timestamp = String(nowMs / 1_000);
const here = '192.0.2.7';
const request = { method: 'POST', path: '/api/v1/jobs', bodyDigest: digestOfBody(Buffer.from('{}')) };

const mac = (expiresAtMs = Infinity): RequestKey => ({ id: 'k', algorithm: 'hmac-sha256', key: createSecretKey(randomBytes(32)), expiresAtMs });
const ed = (): RequestKey => ({ id: 'e', algorithm: 'ed25519', key: generateKeyPairSync('ed25519').publicKey, expiresAtMs: Infinity });
const principal = (id: string, keys: readonly RequestKey[], more: Partial<PrincipalRecord> = {}): PrincipalRecord =>
  ({ id, kind: 'client', role: 'client', rights: new Set(), scope: everywhere, disabled: false, tokensValidFromMs: 0, maxSkewSeconds: 30, keys, ...more });

const [newest, overlapping] = [mac(), mac(nowMs + 1)];
const principals = new Map([
  principal('no-key', []), principal('one-key', [mac()]), principal('rotated', [newest, overlapping]), principal('rotated-often', [mac(), mac(), mac(), mac()]),
  principal('ended-key', [mac(), mac(nowMs)]), principal('machine', [ed()]), principal('both-kinds', [ed(), mac(), ed(), mac()]),
  principal('disabled', [mac(), ed()], { disabled: true }), principal('elsewhere', [mac(), ed()], { scope: compileNetworks(['10.0.0.0/8']) }),
].map((record) => [record.id, record]));
const everybody = [...principals.keys(), 'unknown', 'Not A Name', ''];

const nowhere = async (): Promise<undefined> => undefined;
const identities = new Identities({
  store: { principal: async (id) => principals.get(id), loginSession: nowhere, grant: nowhere, isTokenRevoked: async () => false },
  roles: builtinRoles, defaultRole: 'none', epochs: new Epochs({ since: async () => ({ sequence: 0, subjects: [] }) }), clock: () => nowMs,
  tokens: { issuer: 'weir:test', audience: 'weir:test', keys: { access: new Map(), grant: new Map(), job: new Map() } },
});

/** The operations that cost; every call goes on to the real one and is counted. */
const counted = ['createHmac', 'verify', 'sign', 'timingSafeEqual', 'hash', 'createHash'] as const;
const real = Object.fromEntries(counted.map((name) => [name, crypto[name]]));
let calls: Record<string, number> = {};
beforeAll(() => {
  for (const name of counted) {
    const operation = crypto[name] as (...args: unknown[]) => unknown;
    Object.assign(crypto, { [name]: (...args: unknown[]) => { calls[name] = (calls[name] ?? 0) + 1; return operation(...args); } });
  }
  syncBuiltinESMExports();
});
afterAll(() => {
  Object.assign(crypto, real);
  syncBuiltinESMExports();
});
beforeEach(() => { calls = {}; });

/** What a refused attempt costs; its row was read before. */
async function costOf(attempt: () => unknown): Promise<Record<string, number>> {
  await expect((async () => attempt())()).rejects.toBeInstanceOf(EvidenceRefused);
  calls = {};
  await expect((async () => attempt())()).rejects.toBeInstanceOf(EvidenceRefused);
  return calls;
}

test('a refused dffmpeg signature costs two HMACs and two comparisons, whoever it names', async () => {
  const signature = signDffmpeg(createSecretKey(randomBytes(32)), { ...request, timestamp });
  for (const name of everybody) {
    expect([name, await costOf(() => identities.bySignature({ principal: name, timestamp, signature }, request, here))]).toEqual([name, { createHmac: 2, timingSafeEqual: 2 }]);
  }
});

const stranger: MessageKey = { id: 'stranger', algorithm: 'hmac-sha256', secret: createSecretKey(randomBytes(32)) };
const pair = generateKeyPairSync('ed25519');
const strangeMachine: MessageKey = { id: 'stranger', algorithm: 'ed25519', public: pair.publicKey, private: pair.privateKey };

test.each([['HMAC', stranger, { createHmac: 2, timingSafeEqual: 2 }], ['Ed25519', strangeMachine, { verify: 2 }]] as const)(
  'a refused message signature by %s costs two verifications, whoever it names', async (_algorithm, key, cost) => {
    for (const name of everybody.filter((id) => /^[a-z0-9._-]+$/.test(id))) {
      const message = { method: 'GET', target: '/api/v1/jobs', headers: {} };
      const headers = signRequest(message, { ...key, id: name }, { instance: 'weir-test', createdSeconds: nowMs / 1_000, nonce: newNonce() });
      const read = readRequestSignature({ ...message, headers: { ...headers } }, 'weir-test');
      if (read === undefined) throw new Error('a signature that can be read is needed');
      expect([name, await costOf(() => identities.byMessage(read, here))]).toEqual([name, cost]);
    }
  },
);

test('the newest key and the one whose overlap runs are both accepted, until that ends', async () => {
  for (const { key } of [newest, overlapping]) {
    const signature = signDffmpeg(key, { ...request, timestamp });
    expect((await identities.bySignature({ principal: 'rotated', timestamp, signature }, request, here)).identity.principal).toBe('rotated');
  }
  const ended = principals.get('ended-key')?.keys[1];
  if (ended === undefined) throw new Error('a key is needed');
  const signature = signDffmpeg(ended.key, { ...request, timestamp });
  await costOf(() => identities.bySignature({ principal: 'ended-key', timestamp, signature }, request, here));
});
