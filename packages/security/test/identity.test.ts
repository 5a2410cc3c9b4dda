/** Evidence becomes an identity, or is refused for the reason that the audit will say; rows that move count at once. */
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { expect, test } from 'vitest';
import { ExternalIssuers } from '../src/external-issuers.ts';
import { EvidenceRefused, type Identity } from '../src/identity.ts';
import { IssuerKeys } from '../src/issuer-keys.ts';
import { compileNetworks } from '../src/networks.ts';
import { digestOfBody, signDffmpeg } from '../src/request-signing/dffmpeg.ts';
import { newNonce, readRequestSignature, signRequest, type MessageKey, type ReadSignature } from '../src/request-signing/http-message.ts';
import { builtinRoles } from '../src/roles.ts';
import { newTokenKey, sharedSecretKey } from '../src/token-keys.ts';
import { here, hmacKey, nowSeconds, refusal, sessionId, sessionSecret, smallWorld, SmallWorld } from './small-world.ts';

const elsewhere = '198.51.100.7';
const user = builtinRoles.get('user')?.permissions ?? new Set<string>();
const viewer = builtinRoles.get('viewer')?.permissions ?? new Set<string>();

test('a token speaks for its principal, narrowed by role and permissions, and says where it came from', async () => {
  const world = await smallWorld();
  world.principal('alice');
  const whole = await world.identities.byBearer(world.token('access'), here);
  expect(whole).toMatchObject({
    principal: 'alice', authenticated: true, kind: 'user', role: 'user', tokenRole: undefined, via: 'token', tokenId: 'jti-1', keyId: 'access-1', sessionId: undefined,
    issuedAtMs: nowSeconds * 1_000, expiresAtMs: (nowSeconds + 60) * 1_000, job: undefined,
  });
  expect(whole.effective).toEqual(user);
  const narrow = await world.identities.byBearer(world.token('access', { role: 'viewer', permissions: ['read_content', 'submit_jobs', 'manage_users'], jti: 'jti-2' }), here);
  expect(narrow.tokenRole).toBe('viewer');
  expect(narrow.effective).toEqual(new Set(['read_content'].filter((permission) => viewer.has(permission))));
});

const badTokens: Readonly<Record<string, readonly [prepare: (world: SmallWorld) => string, reason: string, from?: string]>> = {
  'of nobody': [(world) => world.token('access', { sub: 'mallory' }), 'principal unknown [mallory]'],
  'of a disabled principal': [(world) => { world.principal('alice', { disabled: true }); return world.token('access'); }, 'principal disabled [alice]'],
  'from outside the network': [(world) => { world.principal('alice', { networks: ['192.0.2.0/24'] }); return world.token('access'); }, 'network scope [alice]', elsewhere],
  'that was revoked': [(world) => { world.revoked.add('jti-1'); return world.token('access'); }, 'token revoked [alice]'],
  'of a session that ended': [(world) => { world.session('alice', { ended: true }); return world.token('access', { sid: sessionId }); }, 'session ended [alice]'],
  'of a session that is not there': [(world) => world.token('access', { sid: sessionId }), 'session ended [alice]'],
  'older than the end of all': [(world) => { world.principal('alice', { tokensValidFromMs: nowSeconds * 1_000 + 1 }); return world.token('access'); }, 'token issued before all were ended [alice]'],
  'with a role that there is not': [(world) => world.token('access', { role: 'captain' }), 'token names an unknown role [alice]'],
  'that has ended': [(world) => { const token = world.token('access'); world.nowMs += 60_000; return token; }, 'token expired []'],
  'under a key that nobody knows': [(world) => world.token('access', {}, newTokenKey('other')), 'token key []'],
  'that is none': [() => 'rubbish', 'token malformed []'],
  'that is a grant': [(world) => world.token('grant'), 'token malformed []'],
};
test.each(Object.entries(badTokens))('a token %s is refused, and the audit is told why', async (_name, [prepare, reason, from = here]) => {
  const world = await smallWorld();
  world.principal('alice');
  const token = prepare(world);
  expect(await refusal(() => world.identities.byBearer(token, from))).toBe(reason);
});

test('a token that is cached ends with its row, its principal, its session, its key and its network', async () => {
  for (const [change, subject, reason] of [
    [(world: SmallWorld) => { world.revoked.add('jti-1'); }, 'token:jti-1', 'token revoked [alice]'],
    [(world: SmallWorld) => { world.principal('alice', { disabled: true }); }, 'principal:alice', 'principal disabled [alice]'],
    [(world: SmallWorld) => { world.principal('alice', { networks: ['198.51.100.0/24'] }); }, 'principal:alice', 'network scope [alice]'],
    [(world: SmallWorld) => { world.principal('alice', { tokensValidFromMs: Infinity }); }, 'principal:alice', 'token issued before all were ended [alice]'],
    [(world: SmallWorld) => { world.session('alice', { ended: true }); }, `session:${sessionId}`, 'session ended [alice]'],
  ] as const) {
    const world = await smallWorld();
    world.principal('alice');
    world.session('alice');
    const token = world.token('access', { sid: sessionId });
    const first = await world.identities.byBearer(token, here);
    expect(world.identities.byBearer(token, here), 'known at once, without a promise').toBe(first);
    change(world);
    expect(world.identities.byBearer(token, here), 'the row moved, and nobody said so yet').toBe(first);
    await world.move('principal:somebody-else', 'holding:h', 'unknown', subject);
    expect(await refusal(() => world.identities.byBearer(token, here)), subject).toBe(reason);
    expect(await refusal(() => world.identities.recheck(first, here)), subject).toBe(reason);
  }
});

test('what came of a session ends with the session: by its time, and when nobody used it, also what runs already', async () => {
  const idleMs = 20_000;
  for (const [pass, rest, reason] of [
    [31_000, { expiresAtMs: nowSeconds * 1_000 + 30_000, lastUsedAtMs: nowSeconds * 1_000 + 20_000 }, ['session ended [alice]', 'evidence expired [alice]']],
    [21_000, {}, ['session ended [alice]', 'session ended [alice]']],
  ] as const) {
    const world = new SmallWorld('none', idleMs);
    await world.epochs.refresh();
    world.principal('alice');
    world.session('alice', rest);
    const token = world.token('access', { sid: sessionId });
    const running = await world.identities.byBearer(token, here);
    expect(running.expiresAtMs).toBe(nowSeconds * 1_000 + ('expiresAtMs' in rest ? 30_000 : 60_000));
    const media = await world.identities.byPass('playlist', world.token('playlist', { sid: sessionId }), here);
    world.nowMs += pass;
    expect(await refusal(() => world.identities.byBearer(token, here))).toBe(reason[0]);
    expect(await refusal(() => world.identities.byPass('playlist', world.token('playlist', { sid: sessionId }), here))).toBe('session ended [alice]');
    expect(await refusal(() => world.identities.recheck(running, here))).toBe(reason[1]);
    expect(await refusal(() => world.identities.recheck(media, here))).toBe('session ended [alice]');
  }
});

test('a session that was used meanwhile keeps its tokens, and that is read from its row', async () => {
  const world = new SmallWorld('none', 20_000);
  await world.epochs.refresh();
  world.principal('alice');
  world.session('alice');
  const token = world.token('access', { sid: sessionId });
  const running = await world.identities.byBearer(token, here);
  world.nowMs += 21_000;
  world.session('alice', { expiresAtMs: nowSeconds * 1_000 + 60_000, lastUsedAtMs: world.nowMs - 1_000 });
  expect(await refusal(() => world.identities.recheck(running, here))).toBe('admitted');
  expect(await refusal(() => world.identities.byBearer(token, here))).toBe('admitted');
});

test.each(['ticket', 'playlist'] as const)('what runs by a %s ends when its key is void, and goes on when the key is only retired', async (purpose) => {
  const world = await smallWorld();
  world.principal('alice');
  const running = await world.identities.byPass(purpose, world.token(purpose), here);
  world.rings[purpose].delete(`${purpose}-1`);
  await world.move('keys');
  expect(await refusal(() => world.identities.recheck(running, here))).toBe('admitted');
  await world.move('keys', `key:${purpose}-1`);
  expect(await refusal(() => world.identities.recheck(running, here))).toBe('key withdrawn [alice]');
});

test('rows that did not move are not read again', async () => {
  const world = await smallWorld();
  world.principal('alice');
  world.principal('bob');
  await world.identities.byBearer(world.token('access'), here);
  await world.identities.byBearer(world.token('access', { sub: 'bob', jti: 'jti-b' }), here);
  world.reads = [];
  await world.move('principal:bob');
  await world.identities.byBearer(world.token('access'), here);
  await world.identities.byBearer(world.token('access', { sub: 'bob', jti: 'jti-b' }), here);
  expect(world.reads).toEqual(['principal:bob']);
});

test('rights that shrink, shrink what a token and a running stream may', async () => {
  const world = await smallWorld();
  world.principal('alice');
  const before = await world.identities.byBearer(world.token('access'), here);
  world.principal('alice', { role: 'viewer' });
  await world.move('principal:alice');
  const after = await world.identities.byBearer(world.token('access'), here);
  expect([after.role, after.effective]).toEqual(['viewer', viewer]);
  const running = await world.identities.recheck(before, here);
  expect([running.role, running.via, running.effective]).toEqual(['viewer', 'token', new Set([...user].filter((permission) => viewer.has(permission)))]);
});

test('a running stream ends with the time, the key and the network of its evidence; without evidence it goes on', async () => {
  const world = await smallWorld();
  world.principal('alice', { networks: ['192.0.2.0/24'] });
  const identity = await world.identities.byBearer(world.token('access'), here);
  expect(await refusal(() => world.identities.recheck(identity, here))).toBe('admitted');
  expect(await refusal(() => world.identities.recheck(identity, elsewhere))).toBe('network scope [alice]');
  world.rings.access.delete('access-1');
  expect(await refusal(() => world.identities.recheck(identity, here))).toBe('key withdrawn [alice]');
  world.nowMs += 60_000;
  expect(await refusal(() => world.identities.recheck(identity, here))).toBe('evidence expired [alice]');
  for (const { identities } of [world, await smallWorld('viewer')]) expect(identities.recheck(identities.anonymous, elsewhere)).toBe(identities.anonymous);
});

test('the token of a job speaks for its worker and one part', async () => {
  const world = await smallWorld();
  world.principal('w1', { role: 'worker', kind: 'worker' });
  const identity = await world.identities.byBearer(world.token('job', { sub: 'w1' }), here);
  expect(identity).toMatchObject({ principal: 'w1', via: 'job', kind: 'worker', tokenId: 'jti-1', keyId: 'job-1', issuedAtMs: nowSeconds * 1_000, expiresAtMs: (nowSeconds + 60) * 1_000, job: { job: 'job-1', object: 'input:0' } });
  expect(await refusal(() => world.identities.recheck(identity, here))).toBe('admitted');
  world.revoked.add('jti-1');
  expect(await refusal(() => world.identities.recheck(identity, here)), 'tokens that are revoked are those of users').toBe('admitted');
  world.rings.job.clear();
  expect(await refusal(() => world.identities.recheck(identity, here))).toBe('key withdrawn [w1]');
  expect(await refusal(() => world.identities.byBearer(world.token('job', { sub: 'w1' }), here))).toBe('token key []');
  world.rings.job.set('job-1', world.keys.job);
  world.nowMs += 61_000;
  expect(await refusal(() => world.identities.recheck(identity, here))).toBe('evidence expired [w1]');
});

test('a session cookie is its id and its secret, and nothing else', async () => {
  const world = await smallWorld();
  world.principal('alice');
  const cookie = world.session('alice');
  const identity = await world.identities.bySession(cookie, here);
  expect(identity).toMatchObject({ principal: 'alice', via: 'session', sessionId, tokenId: undefined, expiresAtMs: nowSeconds * 1_000 + 60_000 });
  expect(identity.effective).toEqual(user);
  for (const bad of ['', '.', `${cookie}.x`, `${sessionId.toLowerCase()}.${sessionSecret}`, `${sessionId}x.${sessionSecret}`, `x${sessionId}.${sessionSecret}`, `${sessionId}.${'x'.repeat(129)}`]) {
    expect(await refusal(() => world.identities.bySession(bad, here)), bad).toBe('session malformed []');
  }
  for (const bad of [`${sessionId}.`, sessionId, `${sessionId}.${'x'.repeat(128)}`, `${sessionId}.${sessionSecret.slice(1)}`, `01ARZ3NDEKTSV4RRFFQ69G5FAX.${sessionSecret}`]) {
    expect(await refusal(() => world.identities.bySession(bad, here)), bad).toBe('session unknown or ended []');
  }
  world.nowMs += 59_999;
  expect(await refusal(() => world.identities.bySession(cookie, here))).toBe('admitted');
  world.nowMs += 1;
  expect(await refusal(() => world.identities.bySession(cookie, here))).toBe('session unknown or ended []');
  world.session('alice', { ended: true });
  await world.move(`session:${sessionId}`);
  expect(await refusal(() => world.identities.bySession(cookie, here))).toBe('session unknown or ended []');
});

test('a session that was not used for too long is over, unless its row says otherwise by now', async () => {
  const world = new SmallWorld('none', 1_000);
  await world.epochs.refresh();
  world.principal('alice');
  const cookie = world.session('alice');
  world.nowMs += 999;
  expect(await refusal(() => world.identities.bySession(cookie, here))).toBe('admitted');
  world.nowMs += 1;
  world.session('alice', { lastUsedAtMs: world.nowMs - 1 });
  expect(await refusal(() => world.identities.bySession(cookie, here)), 'what is remembered is old, and the row is read').toBe('admitted');
  world.nowMs += 999;
  expect(await refusal(() => world.identities.bySession(cookie, here))).toBe('session unknown or ended []');
});

test('a shared secret speaks for nobody who is admin, and with no right that manages', async () => {
  const world = await smallWorld();
  const shared = sharedSecretKey('shared', 'q7Wm2v9XzL4cR8tB1nK6yH3jF5sD0gAP', 'the test');
  world.rings.access.set('shared', shared);
  world.principal('alice', { role: 'operator' });
  world.principal('root', { role: 'admin' });
  const identity = await world.identities.byBearer(world.token('access', {}, shared), here);
  expect([...identity.effective].filter((permission) => permission.startsWith('manage_'))).toEqual([]);
  expect(identity.effective.has('read_content')).toBe(true);
  for (const claims of [{ sub: 'root' }, { role: 'admin' }, { permissions: ['manage_workers'] }]) {
    expect(await refusal(() => world.identities.byBearer(world.token('access', { ...claims, jti: `j-${JSON.stringify(claims).length}` }, shared), here))).toMatch(/^more than a shared secret carries/);
  }
});

test('who has no evidence is nobody, unless the default role lets him be somebody', async () => {
  expect((await smallWorld()).identities.anonymous).toMatchObject({ principal: undefined, authenticated: false, role: 'none', via: 'none', expiresAtMs: Infinity });
  const open = (await smallWorld('viewer')).identities;
  expect(open.anonymous).toMatchObject({ principal: 'anonymous', authenticated: false, kind: 'anonymous', role: 'viewer' });
  expect(open.anonymous.effective).toEqual(viewer);
  await expect(smallWorld('captain')).rejects.toMatchObject({ code: 'config.invalid' });
});

const request = { method: 'POST', path: '/api/v1/jobs', bodyDigest: digestOfBody(Buffer.from('{}')) };
test('a dffmpeg signature holds under the newest key and the one whose overlap runs, within the skew of its principal', async () => {
  const world = await smallWorld();
  const [fresh, old, third, expired] = [hmacKey('k3'), hmacKey('k2', nowSeconds * 1_000 + 1), hmacKey('k1'), hmacKey('k0', nowSeconds * 1_000)];
  world.principal('w1', { role: 'worker', kind: 'worker', keys: [expired, fresh, old, third], maxSkewSeconds: 60 });
  const claim = (key: typeof fresh, at = nowSeconds, principal = 'w1') => {
    const timestamp = String(at);
    return { principal, timestamp, signature: signDffmpeg(key.key, { ...request, timestamp }) };
  };
  for (const key of [fresh, old]) {
    const signed = await world.identities.bySignature(claim(key), request, here);
    expect(signed.identity).toMatchObject({ principal: 'w1', via: 'signature', tokenId: undefined, expiresAtMs: Infinity });
    expect(signed.mac.toString('base64')).toBe(claim(key).signature);
    expect(signed.validUntilMs).toBe((nowSeconds + 61) * 1_000);
  }
  for (const at of [nowSeconds - 60, nowSeconds + 60]) expect(await refusal(() => world.identities.bySignature(claim(fresh, at), request, here))).toBe('admitted');
  for (const at of [nowSeconds - 61, nowSeconds + 61]) expect(await refusal(() => world.identities.bySignature(claim(fresh, at), request, here))).toBe('clock [w1]');
  expect(await refusal(() => world.identities.bySignature(claim(third), request, here)), 'a third key is none').toBe('signature [w1]');
  expect(await refusal(() => world.identities.bySignature(claim(expired), request, here))).toBe('signature [w1]');
  expect(await refusal(() => world.identities.bySignature(claim(fresh), { ...request, path: '/api/v1/other' }, here))).toBe('signature [w1]');
  expect(await refusal(() => world.identities.bySignature(claim(fresh, nowSeconds, 'nobody'), request, here))).toBe('principal unknown [nobody]');
  expect(await refusal(() => world.identities.bySignature(claim(fresh, nowSeconds, 'W1'), request, here))).toBe('principal unknown [W1]');
  world.principal('w1', { keys: [fresh], networks: ['192.0.2.0/24'] });
  await world.move('principal:w1');
  expect(await refusal(() => world.identities.bySignature(claim(fresh), request, here))).toBe('admitted');
  expect(await refusal(() => world.identities.bySignature(claim(fresh), request, elsewhere))).toBe('disabled or network scope [w1]');
  world.principal('w1', { keys: [fresh], disabled: true });
  await world.move('principal:w1');
  expect(await refusal(() => world.identities.bySignature(claim(fresh), request, here))).toBe('disabled or network scope [w1]');
});

test('a message signature holds under Ed25519 and HMAC keys of its keyid', async () => {
  const world = await smallWorld();
  const pair = newTokenKey('w1');
  if (pair.algorithm !== 'EdDSA' || pair.private === undefined) throw new Error('an Ed25519 key is needed');
  const mac = hmacKey();
  world.principal('w1', { role: 'worker', keys: [{ id: 'e1', algorithm: 'ed25519', key: pair.public, expiresAtMs: Infinity }, mac] });
  const message = { method: 'GET', target: '/api/v1/jobs?limit=1', headers: {} };
  const read = (key: MessageKey): ReadSignature => {
    const found = readRequestSignature({ ...message, headers: { ...signRequest(message, key, { instance: 'i', createdSeconds: nowSeconds, nonce: newNonce() }) } }, 'i');
    if (found === undefined) throw new Error('not read');
    return found;
  };
  for (const key of [{ id: 'w1', algorithm: 'ed25519', public: pair.public, private: pair.private }, { id: 'w1', algorithm: 'hmac-sha256', secret: mac.key }] as const) {
    const signed = await world.identities.byMessage(read(key), here);
    expect([signed.identity.principal, signed.identity.via, signed.validUntilMs]).toEqual(['w1', 'signature', (nowSeconds + 31) * 1_000]);
  }
  expect(await refusal(() => world.identities.byMessage(read({ id: 'w1', algorithm: 'hmac-sha256', secret: hmacKey().key }), here))).toBe('signature [w1]');
  expect(await refusal(() => world.identities.byMessage(read({ id: 'nobody', algorithm: 'hmac-sha256', secret: mac.key }), here))).toBe('principal unknown [nobody]');
  const early = read({ id: 'w1', algorithm: 'hmac-sha256', secret: mac.key });
  world.nowMs += 31_000;
  expect(await refusal(() => world.identities.byMessage(early, here))).toBe('clock [w1]');
});

test('what a proxy says names principals that exist and roles that there are, and a role narrows', async () => {
  const world = await smallWorld();
  world.principal('alice', { role: 'operator' });
  world.principal('proxy:viewer', { role: 'viewer' });
  const named = await world.identities.byProxy({ user: 'alice', role: 'viewer' }, here);
  expect(named).toMatchObject({ principal: 'alice', via: 'proxy', role: 'operator', tokenRole: 'viewer' });
  expect([...named.effective].every((permission) => viewer.has(permission))).toBe(true);
  expect(await world.identities.byProxy({ user: 'alice', role: undefined }, here)).toMatchObject({ principal: 'alice', tokenRole: undefined });
  expect(await world.identities.byProxy({ user: undefined, role: 'viewer' }, here)).toMatchObject({ principal: 'proxy:viewer', tokenRole: undefined });
  expect(await refusal(() => world.identities.byProxy({ user: 'alice', role: 'captain' }, here))).toBe('the proxy names a role that there is not [alice]');
  for (const user of ['Al ice', 'alice ', 'alice\n', ' alice', '', 'a'.repeat(65)]) expect(await refusal(() => world.identities.byProxy({ user, role: undefined }, here)), user).toBe('the proxy names no principal []');
  expect(await refusal(() => world.identities.byProxy({ user: 'nobody', role: undefined }, here))).toBe('principal unknown [nobody]');
  expect(await refusal(() => world.identities.byProxy({ user: undefined, role: 'operator' }, here))).toBe('principal unknown [proxy:operator]');
});

const link = /^policy\.refused: /;
test('a link holds while its row, its time, its network and its issuer do', async () => {
  const world = await smallWorld();
  world.principal('alice');
  world.grant('g1', { usesLeft: 3, networks: compileNetworks(['192.0.2.0/24']) });
  const token = world.token('grant', { jti: 'g1' });
  expect(await world.identities.grant(token, here)).toMatchObject({ id: 'g1', chain: ['g1'], counted: ['g1'], usesLeft: 3 });
  expect(await refusal(() => world.identities.grant(token, elsewhere))).toMatch(/does not work from your network/);
  for (const [change, subject, says] of [
    [() => world.grant('g1', { revoked: true }), 'grant:g1', /withdrawn/], [() => world.grant('g1', { expiresAtMs: world.nowMs }), 'grant:g1', /expired/],
    [() => world.grant('g1', { validFromMs: world.nowMs + 1 }), 'grant:g1', /expired/], [() => { world.grants.delete('g1'); }, 'grant:g1', /withdrawn/],
    [() => { world.grant('g1'); world.principal('alice', { disabled: true }); }, 'principal:alice', /withdrawn/],
    [() => { world.principal('alice', { role: 'viewer' }); }, 'principal:alice', /withdrawn/], [() => { world.principals.delete('alice'); }, 'principal:alice', /withdrawn/],
  ] as const) {
    change();
    await world.move(subject, 'grant:g1');
    const said = await refusal(() => world.identities.grant(token, here));
    expect(said).toMatch(link);
    expect(said).toMatch(says);
  }
  world.principal('alice');
  world.grant('g1');
  await world.move('principal:alice', 'grant:g1');
  expect(await refusal(() => world.identities.grant(token, here))).toBe('admitted');
  world.grant('g1', { validFromMs: world.nowMs });
  await world.move('grant:g1');
  expect(await refusal(() => world.identities.grant(token, here)), 'from its first moment on').toBe('admitted');
  world.nowMs += 60_000;
  expect(await refusal(() => world.identities.grant(token, here))).toBe('policy.refused: This link has expired; ask its owner for a new one.');
  expect(await refusal(() => world.identities.grant('rubbish', here))).toBe('grant malformed []');
});

test('a narrowed link is what its whole chain allows, and a chain that contradicts itself is nothing', async () => {
  const world = await smallWorld();
  world.principal('alice');
  world.grant('g1', { validFromMs: 5, expiresAtMs: world.nowMs + 10_000, usesLeft: 1, networks: compileNetworks(['192.0.2.0/24']) });
  world.grant('g2', { parent: 'g1', principal: 'bob', validFromMs: 9, expiresAtMs: world.nowMs + 20_000 });
  const held = await world.identities.grantById('g2', here);
  expect(held).toMatchObject({ id: 'g2', chain: ['g2', 'g1'], counted: ['g1'], principal: 'bob', validFromMs: 9, expiresAtMs: world.nowMs + 10_000, verbs: ['read'] });
  expect([held.networks.contains(here), held.networks.contains(elsewhere)]).toEqual([true, false]);
  expect(await refusal(() => world.identities.grantById('g2', elsewhere))).toMatch(/network/);
  for (const wrong of [{ holding: 'other' }, { issuer: 'bob' }]) {
    world.principal('bob');
    world.grant('g3', { parent: 'g1', ...wrong });
    await world.move('grant:g3', 'principal:bob');
    expect(await refusal(() => world.identities.grantById('g3', here))).toMatch(/withdrawn/);
  }
  world.grant('g4', { parent: 'g2', principal: 'carol' });
  expect(await refusal(() => world.identities.grantById('g4', here)), 'bound to another than its parent').toMatch(/withdrawn/);
  world.grant('loop', { parent: 'loop' });
  expect(await refusal(() => world.identities.grantById('loop', here))).toMatch(/withdrawn/);
  world.grant('g1', { revoked: true });
  await world.move('grant:g1');
  expect(await refusal(() => world.identities.grantById('g2', here))).toMatch(/withdrawn/);
});

test('what a token opens beside holds while its issuer may share', async () => {
  const world = await smallWorld();
  world.principal('alice');
  world.principal('bob');
  world.shares.set('jti-1', { issuer: 'bob', holdings: new Set(['h-bob']) });
  const token = world.token('access', { cid_access: ['bafkreia'] });
  const shared = async (): Promise<Identity['shares']> => (await world.identities.byBearer(token, here)).shares;
  expect(await shared()).toEqual({ issuer: 'bob', holdings: new Set(['h-bob']) });
  const running = await world.identities.byBearer(token, here);
  expect((await world.identities.recheck(running, here)).shares).toEqual(running.shares);
  for (const change of [{ disabled: true }, { role: 'viewer' }, undefined]) {
    if (change === undefined) world.principals.delete('bob');
    else world.principal('bob', change);
    await world.move('principal:bob');
    expect(await shared()).toBeUndefined();
    expect((await world.identities.recheck(running, here)).shares).toBeUndefined();
  }
});

test('a token that does not say so opens nothing beside, whatever its row holds', async () => {
  const world = await smallWorld();
  for (const id of ['alice', 'bob']) world.principal(id);
  world.shares.set('jti-1', { issuer: 'bob', holdings: new Set(['h-bob']) });
  const identity = await world.identities.byBearer(world.token('access'), here);
  expect([identity.shares, (await world.identities.recheck(identity, here)).shares]).toEqual([undefined, undefined]);
});

test('a session and what came of it are over at the very moment that it ends', async () => {
  const world = await smallWorld();
  world.principal('alice');
  const cookie = world.session('alice', { expiresAtMs: nowSeconds * 1_000 + 30_000 });
  const token = world.token('access', { sid: sessionId });
  world.nowMs += 29_999;
  expect([await refusal(() => world.identities.bySession(cookie, here)), await refusal(() => world.identities.byBearer(token, here))]).toEqual(['admitted', 'admitted']);
  world.nowMs += 1;
  expect([await refusal(() => world.identities.bySession(cookie, here)), await refusal(() => world.identities.byBearer(token, here))]).toEqual(['session unknown or ended []', 'session ended [alice]']);
});

test('code of this process acts for a principal in good standing only', async () => {
  const world = await smallWorld();
  world.principal('alice', { networks: ['192.0.2.0/24'] });
  expect(await world.identities.ofPrincipal('alice', here)).toMatchObject({ principal: 'alice', effective: user });
  expect(await refusal(() => world.identities.ofPrincipal('alice', elsewhere))).toBe('network scope [alice]');
  expect(await world.identities.standing('alice', undefined)).toMatchObject({ principal: 'alice' });
  expect(await refusal(() => world.identities.standing('alice', elsewhere))).toBe('network scope [alice]');
  expect(await world.identities.principal('alice')).toMatchObject({ id: 'alice', disabled: false });
  expect(await world.identities.principal('nobody')).toBeUndefined();
});

test('who is asked about, rather than asks, has fresh evidence; nobody and roles can be asked about too', async () => {
  const world = await smallWorld('viewer');
  world.principal('alice', { networks: ['192.0.2.0/24'] });
  expect(await world.identities.standing('alice', here)).toMatchObject({ principal: 'alice', provedAtMs: Infinity, effective: user });
  expect(world.identities.standing('anonymous', here)).toBe(world.identities.anonymous);
  expect(await refusal(() => world.identities.standing('nobody', undefined))).toBe('principal unknown [nobody]');
  expect(await refusal(() => world.identities.standing('nobody', here))).toBe('principal unknown [nobody]');
  world.principal('alice', { disabled: true });
  await world.move('principal:alice');
  expect(await refusal(() => world.identities.standing('alice', undefined))).toBe('principal disabled [alice]');
  expect(world.identities.standingOfRole('viewer')).toMatchObject({ principal: '', authenticated: true, kind: 'user', role: 'viewer', effective: viewer, provedAtMs: Infinity });
});

test('evidence says when its bearer last proved to be the principal', async () => {
  const world = await smallWorld();
  const key = hmacKey();
  world.principal('alice', { keys: [key] });
  const timestamp = String(nowSeconds);
  const signed = await world.identities.bySignature({ principal: 'alice', timestamp, signature: signDffmpeg(key.key, { ...request, timestamp }) }, request, here);
  expect(signed.identity.provedAtMs).toBe(world.nowMs);
  expect((await world.identities.byBearer(world.token('access'), here)).provedAtMs).toBe(0);
  expect((await world.identities.bySession(world.session('alice', { steppedUpAtMs: 77 }), here)).provedAtMs).toBe(77);
  expect((await world.identities.byProxy({ user: 'alice', role: undefined }, here)).provedAtMs).toBe(0);
});

test('a token of another issuer is asked of the other issuers, and speaks for its principal narrowed to its role', async () => {
  const pair = await generateKeyPair('EdDSA', { extractable: true });
  const jwk = { ...await exportJWK(pair.publicKey), kid: 'k' };
  const keys = new IssuerKeys({ read: async () => ({ text: JSON.stringify({ keys: [jwk] }) }), onError: (error) => { throw error; } });
  const adopted: string[] = [];
  const rules = { audience: 'weir', keys, algorithms: ['EdDSA'], roleClaim: 'role', roles: new Map([['staff', 'viewer'], ['captain', 'captain']]), create: false } as const;
  const external = new ExternalIssuers([{ issuer: 'https://idp.example', ...rules }], async ({ subject }) => { adopted.push(subject); return subject; });
  const world = new SmallWorld('none', Infinity, external);
  await world.epochs.refresh();
  world.principal('alice', { networks: ['192.0.2.0/24'] });
  const from = (sub: string, role = 'staff', jti = '1') => new SignJWT({ role, jti }).setProtectedHeader({ alg: 'EdDSA', kid: 'k', typ: 'at+jwt' }).setIssuer('https://idp.example').setAudience('weir').setSubject(sub)
    .setIssuedAt(nowSeconds).setExpirationTime(nowSeconds + 60).sign(pair.privateKey);
  const text = await from('alice');
  const identity = await world.identities.byBearer(text, here);
  expect(identity).toMatchObject({ principal: 'alice', role: 'user', tokenRole: 'viewer', via: 'token', tokenId: undefined, issuedAtMs: nowSeconds * 1_000, expiresAtMs: (nowSeconds + 60) * 1_000, provedAtMs: 0 });
  expect(identity.effective).toEqual(new Set([...user].filter((permission) => viewer.has(permission))));
  expect(await refusal(() => world.identities.byBearer(text, elsewhere))).toBe('network scope [alice]');
  expect(await refusal(async () => world.identities.byBearer(await from('mallory'), here))).toBe('principal unknown [mallory]');
  expect(await refusal(async () => world.identities.byBearer(await from('alice', 'captain'), here))).toBe('token names an unknown role [alice]');
  expect(await refusal(async () => world.identities.byBearer(await from('alice', 'nobody'), here))).toBe('external role not mapped []');
  const asked = adopted.length;
  await world.identities.byBearer(text, here);
  expect(adopted.length, 'remembered').toBe(asked);
  await world.move('external');
  await world.identities.byBearer(text, here);
  expect(adopted.length, 'asked again when links moved').toBe(asked + 1);
  world.principal('alice', { tokensValidFromMs: nowSeconds * 1_000 });
  await world.move('principal:alice');
  expect(await refusal(() => world.identities.byBearer(text, here)), 'of the very moment').toBe('admitted');
  world.principal('alice', { tokensValidFromMs: nowSeconds * 1_000 + 1 });
  await world.move('principal:alice');
  expect(await refusal(() => world.identities.byBearer(text, here))).toBe('token issued before all were ended [alice]');
  // Tokens of our own types never reach the other issuers.
  const ours = adopted.length;
  for (const [token, reason] of [[world.token('access', {}, newTokenKey('other')), 'token key []'], [world.token('job', {}, newTokenKey('other')), 'token key []'], ['rubbish', 'external token malformed []']] as const) {
    expect(await refusal(() => world.identities.byBearer(token, here))).toBe(reason);
  }
  expect(adopted.length).toBe(ours);
});

test('only the rows are read that the evidence names', async () => {
  const world = await smallWorld();
  world.principal('alice');
  const identity = await world.identities.byBearer(world.token('access'), here);
  expect(world.reads).toEqual(['principal:alice']);
  await world.identities.recheck(identity, here);
  const cookie = world.session('alice');
  world.reads = [];
  const session = await world.identities.bySession(cookie, here);
  await world.identities.bySession(cookie, here);
  await world.identities.recheck(session, here);
  expect(world.reads).toEqual([`session:${sessionId}`]);
  await world.move('external', 'token:other', 'grant:other');
  await world.identities.recheck(session, here);
  expect(world.reads).toEqual([`session:${sessionId}`]);
  world.sessions.clear();
  await world.move(`session:${sessionId}`);
  expect(await refusal(() => world.identities.recheck(session, here)), 'its row is gone').toBe('session ended [alice]');
});

test('a token of the very moment in which all were ended still holds, and so does what it opened', async () => {
  const world = await smallWorld();
  world.principal('alice', { tokensValidFromMs: nowSeconds * 1_000 });
  const identity = await world.identities.byBearer(world.token('access'), here);
  expect(await refusal(() => world.identities.recheck(identity, here))).toBe('admitted');
});

test('only a good signature of somebody in good standing is told about clocks', async () => {
  const world = await smallWorld();
  const key = hmacKey();
  world.principal('alice', { keys: [key] });
  world.principal('bob', { keys: [key], disabled: true });
  const timestamp = String(nowSeconds - 100);
  const told = async (principal: string, given = key): Promise<boolean | undefined> => {
    try {
      await world.identities.bySignature({ principal, timestamp, signature: signDffmpeg(given.key, { ...request, timestamp }) }, request, here);
      return undefined;
    } catch (error) {
      return error instanceof EvidenceRefused ? error.isRightButForTime : undefined;
    }
  };
  expect([await told('alice'), await told('alice', hmacKey()), await told('bob'), await told('nobody')]).toEqual([true, false, false, false]);
});

test('what a signature opened ends when its key is replaced or its overlap is over, and not when another key of its principal goes', async () => {
  const world = await smallWorld();
  const [mine, other] = [hmacKey('mine', nowSeconds * 1_000 + 20_000), hmacKey('other')];
  world.principal('alice', { keys: [mine, other] });
  const timestamp = String(nowSeconds);
  const { identity } = await world.identities.bySignature({ principal: 'alice', timestamp, signature: signDffmpeg(mine.key, { ...request, timestamp }) }, request, here);
  expect(await refusal(() => world.identities.recheck(identity, here))).toBe('admitted');
  world.principal('alice', { keys: [mine] });
  await world.move('principal:alice');
  expect(await refusal(() => world.identities.recheck(identity, here))).toBe('admitted');
  world.nowMs += 20_000;
  expect(await refusal(() => world.identities.recheck(identity, here)), 'the overlap is over').toBe('key replaced [alice]');
  world.nowMs -= 20_000;
  for (const keys of [[other], []]) {
    world.principal('alice', { keys });
    await world.move('principal:alice');
    expect(await refusal(() => world.identities.recheck(identity, here))).toBe('key replaced [alice]');
  }
});
