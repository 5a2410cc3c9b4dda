import { expect } from 'vitest';
import { forgetExpired } from '../src/security-stores/expired.ts';
import { forEachEngine } from './support/engines.ts';

const day = 86_400_000;

forEachEngine('evidence is forgotten long after it ended, and not before', async ({ open }) => {
  await using data = await open();
  const now = 100 * day;
  await data.write(async (tx) => {
    for (const [name, expires] of [['old', now - 2 * day], ['new', now - day / 2]] as const) {
      await tx.insertInto('token').values({ jti: name, principal: 'a', issuer: 'a', issued_at: 0, expires_at: expires, revoked_at: null }).execute();
      await tx.insertInto('one_time_secret').values({ hash: name, purpose: 'p', subject: 'a', facts: '{}', expires_at: expires, used_at: null }).execute();
      await tx.insertInto('login_session').values({ id: name, secret_hash: name, principal: 'a', created_at: 0, last_used_at: 0, expires_at: expires - 29 * day, ended_at: null, stepped_up_at: 0, method: 'link', agent: '' }).execute();
      await tx.insertInto('grant').values({
        id: name, issuer: 'a', holding: 'h', cid: 'c', verbs: '[]', principal: null, networks: '[]', parent: null, uses_left: null, valid_from: 0,
        expires_at: expires - 29 * day, revoked_at: null, created_at: 0,
      }).execute();
    }
  });
  expect(await data.write((tx) => forgetExpired(tx, now))).toBe(4);
  expect(await data.write((tx) => forgetExpired(tx, now))).toBe(0);
  expect((await data.read.selectFrom('token').select('jti').execute()).map(({ jti }) => jti)).toEqual(['new']);
  expect((await data.read.selectFrom('grant').select('id').execute()).map(({ id }) => id)).toEqual(['new']);
});
