/** What is stored sealed is sealed anew under another key: all of it, in batches, resumable, on both engines. */
import { randomBytes } from 'node:crypto';
import { KeyRing, sealedUnder } from '@weir/security/key-ring';
import { newMasterKey } from '@weir/security/master-keys';
import { expect } from 'vitest';
import { countSealed, resealAll } from '../src/security-stores/sealed-rows.ts';
import { forEachEngine } from './support/engines.ts';
import { rows } from './support/rows.ts';

const many = 450;

forEachEngine('every sealed value of every table is sealed anew, also where a run was interrupted, and opens to what it was', async (fresh) => {
  await using data = await fresh.open();
  const [one, two] = [newMasterKey('one'), newMasterKey('two')];
  const ring = new KeyRing({ current: 'one', keys: [one, two] });
  const contentKey = randomBytes(32);
  await data.write(async (tx) => {
    await tx.insertInto('principal').values(rows.principal).execute();
    await tx.insertInto('principal_key').values([
      { ...rows.principal_key, id: 'hmac', secret: ring.seal('principal-key', 'hmac', Buffer.from('h')) }, { ...rows.principal_key, id: 'public', algorithm: 'ed25519', secret: null, public_key: 'x' },
    ]).execute();
    await tx.insertInto('signing_key').values({ ...rows.signing_key, id: 'sign', secret: ring.seal('signing-key', 'sign', Buffer.from('s')) }).execute();
    await tx.insertInto('user_key').values({ ...rows.user_key, id: 'user', secret: ring.seal('user-key', 'user', Buffer.from('u')) }).execute();
    await tx.insertInto('job').values(rows.job).execute();
    for (let index = 0; index < many; index += 1) {
      const blob = `blob-${index}`;
      await tx.insertInto('holding').values({ ...rows.holding, id: `h${String(index).padStart(4, '0')}`, digest: `d${index}`, blob, data_key: index % 3 === 0 ? null : ring.seal('content-key', blob, contentKey) }).execute();
      await tx.insertInto('job_output').values({
        ...rows.job_output, job: rows.job.id, fence: index % 5, name: `out/${index}`, holding_facts: JSON.stringify({ blob, size: index, sealedKey: index % 2 === 0 ? null : Buffer.from(ring.seal('content-key', blob, contentKey)).toString('base64') }),
      }).execute();
    }
  });
  const sealed = 3 + many * 2 / 3 + many / 2;
  expect(await countSealed(data.read)).toEqual(new Map([['one', sealed]]));
  ring.replace({ current: 'two', keys: [one, two] });
  let batches = 0;
  for await (const { resealed } of resealAll(data, ring)) {
    batches += 1;
    if (resealed > 100) break;
  }
  expect((await countSealed(data.read)).get('one')).toBeGreaterThan(0);
  for await (const progress of resealAll(data, ring)) expect(progress.seen).toBeLessThanOrEqual(sealed);
  expect(batches).toBeGreaterThan(1);
  expect(await countSealed(data.read)).toEqual(new Map([['two', sealed]]));
  const alone = new KeyRing({ current: 'two', keys: [two] });
  for (const { blob, data_key: key } of await data.read.selectFrom('holding').select(['blob', 'data_key']).where('data_key', 'is not', null).execute()) {
    expect(alone.open('content-key', blob, key ?? new Uint8Array()).equals(contentKey)).toBe(true);
  }
  for (const row of await data.read.selectFrom('job_output').selectAll().execute()) {
    const facts = JSON.parse(row.holding_facts) as { blob: string; size: number; sealedKey: string | null };
    expect(facts.size).toBe(Number(row.name.split('/')[1]));
    if (facts.sealedKey !== null) expect(alone.open('content-key', facts.blob, Buffer.from(facts.sealedKey, 'base64')).equals(contentKey)).toBe(true);
  }
  const { secret } = await data.read.selectFrom('user_key').select('secret').executeTakeFirstOrThrow();
  expect(sealedUnder(secret)).toBe('two');
  let again = 0;
  for await (const { resealed } of resealAll(data, alone)) again = resealed;
  expect(again).toBe(0);
});
