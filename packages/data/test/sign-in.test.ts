/** Sessions, one-time secrets that anyone may ask for, passkeys and linked subjects, on both engines. */
import { builtinRoles } from '@weir/security/roles';
import { expect } from 'vitest';
import type { Data } from '../src/data.ts';
import { consumeOneTimeSecret, storeOneOfMany } from '../src/once.ts';
import { adoptExternal, linkExternal, unlinkExternal } from '../src/security-stores/external-identities.ts';
import { endOtherSessions, listSessions, startSession, stepUpSession } from '../src/security-stores/login-sessions.ts';
import { addPasskey, listPasskeys, removePasskey, usePasskey } from '../src/security-stores/passkeys.ts';
import { addPrincipal, deletePrincipal } from '../src/security-stores/principals.ts';
import { requireWayIn } from '../src/security-stores/ways-in.ts';
import { forEachEngine } from './support/engines.ts';

const now = 1_790_000_000_000;
const add = (data: Data, id: string, role = 'user') => data.write((tx) => addPrincipal(tx, builtinRoles, { id, role }, now));
const passkey = (credential: string, principal = 'alice') => ({ credential, principal, public_key: new Uint8Array(8), counter: 0, rp_id: 'localhost', transports: '[]', name: 'Phone' });
const session = (principal: string, more: object = {}) => ({ principal, method: 'link' as const, now, lifeMs: 1_000, provedAtMs: now, agent: 'x'.repeat(500), ...more });

forEachEngine('of the secrets that anyone may ask for the newest wait, and ended ones are gone', async (fresh) => {
  await using data = await fresh.open();
  for (let index = 0; index < 8; index += 1) {
    await data.write((tx) => storeOneOfMany(tx, { hash: `h${index}`, purpose: 'p', subject: '', facts: '{}', expires_at: now + 100 + index }, 5, now + index));
  }
  await data.write((tx) => storeOneOfMany(tx, { hash: 'other', purpose: 'q', subject: '', facts: '{}', expires_at: now + 1 }, 5, now));
  const waiting = async (): Promise<string[]> => (await data.read.selectFrom('one_time_secret').select('hash').where('purpose', '=', 'p').orderBy('hash').execute()).map(({ hash }) => hash);
  expect(await waiting()).toEqual(['h3', 'h4', 'h5', 'h6', 'h7']);
  expect(await data.write((tx) => consumeOneTimeSecret(tx, 'h1', 'p', now))).toBeUndefined();
  expect((await data.write((tx) => consumeOneTimeSecret(tx, 'h7', 'p', now)))?.hash).toBe('h7');
  await data.write((tx) => storeOneOfMany(tx, { hash: 'h9', purpose: 'p', subject: '', facts: '{}', expires_at: now + 900 }, 5, now + 106));
  expect(await waiting()).toEqual(['h9']);
});

forEachEngine('a passkey’s counter only grows, and one use of a number succeeds', async (fresh) => {
  await using data = await fresh.open();
  await add(data, 'alice', 'admin');
  const { id } = await data.write((tx) => addPasskey(tx, passkey('c'), now));
  const use = (counter: number) => data.write((tx) => usePasskey(tx, id, counter, now));
  expect([await use(0), await use(0), await use(5), await use(5), await use(4), await use(0), await use(6)]).toEqual([true, true, true, false, false, false, true]);
  const raced = await Promise.all(Array.from({ length: 10 }, () => use(7)));
  expect(raced.filter(Boolean)).toHaveLength(1);
  await expect(data.write((tx) => addPasskey(tx, passkey('c'), now))).rejects.toThrow('kept already');
});

forEachEngine('the last way in is not taken away, also when two are taken at once', async (fresh) => {
  await using data = await fresh.open();
  await add(data, 'alice', 'admin');
  const ids = await Promise.all(['a', 'b'].map(async (credential) => (await data.write((tx) => addPasskey(tx, passkey(credential), now))).id));
  const take = (id: string) => data.write(async (tx) => { await removePasskey(tx, id); await requireWayIn(tx, 'alice', ['https://id.example']); });
  const outcomes = await Promise.allSettled(ids.map(take));
  expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  const [left] = await listPasskeys(data.read, 'alice');
  const link = (issuer: string) => data.write((tx) => linkExternal(tx, { issuer, subject: 's' }, 'alice', now));
  await link('https://unconfigured.example');
  await expect(take(left?.id ?? '')).rejects.toMatchObject({ code: 'sign_in.last_way' });
  await link('https://id.example');
  await take(left?.id ?? '');
  await expect(data.write(async (tx) => {
    await unlinkExternal(tx, { issuer: 'https://id.example', subject: 's' }, 'alice');
    await requireWayIn(tx, 'alice', ['https://id.example']);
  })).rejects.toMatchObject({ code: 'sign_in.last_way' });
});

forEachEngine('a subject is one principal’s, and what belonged to a deleted principal does not pass on with its name', async (fresh) => {
  await using data = await fresh.open();
  await add(data, 'root', 'admin');
  await add(data, 'alice');
  await data.write((tx) => addPasskey(tx, passkey('c'), now));
  const link = (principal: string) => data.write((tx) => linkExternal(tx, { issuer: 'i', subject: 's' }, principal, now));
  await link('alice');
  await expect(link('root')).rejects.toThrow('belongs to a principal already');
  await expect(data.write((tx) => unlinkExternal(tx, { issuer: 'i', subject: 's' }, 'root'))).rejects.toMatchObject({ code: 'object.absent' });
  await data.write((tx) => deletePrincipal(tx, builtinRoles, 'alice', now));
  await add(data, 'alice');
  expect(await listPasskeys(data.read, 'alice')).toEqual([]);
  await link('root');
});

forEachEngine('a session begins under a new id and ends the one before it; only its own principal steps it up', async (fresh) => {
  await using data = await fresh.open();
  await add(data, 'alice', 'admin');
  const start = (more: object = {}) => data.write((tx) => startSession(tx, session('alice', more)));
  const first = await start();
  const second = await start({ replaces: first?.id, provedAtMs: now + 5_000 });
  expect((await listSessions(data.read, 'alice', now)).map(({ id, stepped_up_at: at, agent }) => [id, at, agent.length])).toEqual([[second?.id, now, 200]]);
  const stepUp = (principal: string) => data.write((tx) => stepUpSession(tx, { id: second?.id ?? '', principal }, now + 1));
  await expect(stepUp('root')).rejects.toMatchObject({ code: 'object.absent' });
  await stepUp('alice');
  await start();
  expect(await data.write((tx) => endOtherSessions(tx, 'alice', second?.id, now))).toBe(1);
  expect((await listSessions(data.read, 'alice', now)).map(({ id }) => id)).toEqual([second?.id]);
  expect(await data.write((tx) => startSession(tx, session('nobody')))).toBeUndefined();
});

forEachEngine('who was made by a sign-in has the role that was said last, who linked themselves keep their own', async (fresh) => {
  await using data = await fresh.open();
  await add(data, 'root', 'admin');
  await add(data, 'alice', 'viewer');
  await data.write((tx) => linkExternal(tx, { issuer: 'i', subject: 'a' }, 'alice', now));
  const adopt = (subject: string, role: string, issuedAtMs: number) => data.write((tx) => adoptExternal(tx, builtinRoles, { issuer: 'i', subject, role, create: true, issuedAtMs, name: 'b-1' }, now));
  expect(await adopt('a', 'admin', now)).toEqual({ principal: 'alice', change: 'none' });
  expect(await adopt('b', 'user', now)).toEqual({ principal: 'b-1', change: 'made' });
  expect([(await adopt('b', 'operator', now + 1))?.change, (await adopt('b', 'user', now))?.change]).toEqual(['role', 'none']);
});
