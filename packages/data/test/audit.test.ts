/** The audit log in the database: chained, signed, searched, exported, compared, cut; the same on both engines. */
import { generateKeyPairSync } from 'node:crypto';
import { expect } from 'vitest';
import type { AuditSearch } from '@weir/contracts/audit';
import { toInstant } from '@weir/contracts/identity';
import type { AuditEntry } from '@weir/security/audit';
import { ExportVerifier } from '@weir/security/audit-export';
import { publicKeyText } from '@weir/security/audit-wire';
import { exportAudit } from '../src/audit-export.ts';
import { appendAudit, checkpointAudit, type AuditSigner } from '../src/audit-log.ts';
import { cutAudit } from '../src/audit-retention.ts';
import { auditSince, searchAudit } from '../src/audit-search.ts';
import { verifyAudit } from '../src/audit-verification.ts';
import type { Data } from '../src/data.ts';
import { forEachEngine } from './support/engines.ts';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const keys = [{ id: 'k', public_key: publicKeyText(publicKey) }];
const signer = (writer: string, checkpointEvents = 10): AuditSigner => ({ writer, keyId: 'k', key: privateKey, checkpointEvents });
const entry = (number: number, more: Partial<AuditEntry> = {}): AuditEntry => ({
  class: 'A', principal: `p${number % 3}`, address: `192.0.2.${number % 5}`, action: number % 2 === 0 ? 'grant.create' : 'policy.write', object: `holding:${number}`,
  decision: number % 7 === 0 ? 'refused' : 'allowed', reason: `number ${number}`, requestId: `r${number}`, ...more,
});
const dayMs = 86_400_000;

async function fill(data: Data, count: number, by: AuditSigner = signer('one'), from = 1, atMs: (number: number) => number = (number) => number * 1_000): Promise<void> {
  await data.write(async (tx) => { for (let number = from; number < from + count; number += 1) await appendAudit(tx, by, entry(number), atMs(number)); });
}

async function exported(data: Data): Promise<string[]> {
  let text = '';
  for await (const piece of exportAudit({ data, signer: signer('one'), instance: 'i', keys, nowMs: 1_000_000 })) text += piece;
  return text.trimEnd().split('\n');
}

async function* each(lines: readonly string[]): AsyncGenerator<string> { yield* lines; }

const search = async (data: Data, filter: Partial<AuditSearch>): Promise<string[]> => {
  const found: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await searchAudit(data.read, { limit: 7, ...filter, ...(cursor === undefined ? {} : { cursor }) });
    found.push(...page.rows.map(({ object }) => object.slice('holding:'.length)));
    cursor = page.next ?? undefined;
  } while (cursor !== undefined);
  return found;
};
const numbers = (from: number, to: number, keep: (number: number) => boolean = () => true): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => to - index).filter(keep).map(String);

forEachEngine('every filter finds exactly what it names, over pages, newest first', async (fresh) => {
  await using data = await fresh.open();
  await fill(data, 40);
  expect(await search(data, {})).toEqual(numbers(1, 40));
  expect(await search(data, { principal: 'p1' })).toEqual(numbers(1, 40, (n) => n % 3 === 1));
  expect(await search(data, { action: 'grant.create' })).toEqual(numbers(1, 40, (n) => n % 2 === 0));
  expect(await search(data, { action: 'grant.*' })).toEqual(numbers(1, 40, (n) => n % 2 === 0));
  expect(await search(data, { action: 'grant*', decision: 'refused' })).toEqual(numbers(1, 40, (n) => n % 14 === 0));
  expect(await search(data, { action: 'grant' })).toEqual([]);
  expect(await search(data, { object: 'holding:4*' })).toEqual(['40', '4']);
  expect(await search(data, { address: '192.0.2.3' })).toEqual(numbers(1, 40, (n) => n % 5 === 3));
  expect(await search(data, { address: '192.0.2.*', class: 'B' })).toEqual([]);
  expect(await search(data, { text: 'NUMBER 3' })).toEqual([...numbers(30, 39), '3']);
  expect(await search(data, { text: '%' })).toEqual([]);
  expect(await search(data, { from: toInstant(10_000), to: toInstant(13_000) })).toEqual(['12', '11', '10']);
  await expect(searchAudit(data.read, { limit: 1, cursor: 'x' })).rejects.toMatchObject({ code: 'request.invalid' });
});

forEachEngine('changes that begin a chain or go on from the same head at once are all recorded, one after the other', async (fresh) => {
  await using data = await fresh.open();
  for (const writer of ['w1', 'w2', 'w3', 'w4', 'w5']) {
    for (const crowd of [6, 6]) await Promise.all(Array.from({ length: crowd }, (_, number) => data.write((tx) => appendAudit(tx, signer(writer), entry(number), 1_000))));
    expect(await data.read.selectFrom('audit_chain').select('sequence').where('writer', '=', writer).execute()).toEqual([{ sequence: 12 }]);
  }
  expect(await verifyAudit(data.read, keys)).toMatchObject({ flaw: undefined });
});

forEachEngine('events of the same millisecond are neither lost nor told twice between pages', async (fresh) => {
  await using data = await fresh.open();
  await fill(data, 30, signer('one'), 1, () => 5_000);
  expect(new Set(await search(data, {})).size).toBe(30);
  const { rows: [last] } = await searchAudit(data.read, { limit: 1 });
  await fill(data, 3, signer('one'), 31);
  expect((await auditSince(data.read, {}, `${last?.at}.${last?.id}`, 10)).map(({ object }) => object)).toEqual(['holding:31', 'holding:32', 'holding:33']);
});

forEachEngine('an export is whole, verifies alone and beside the log, and names an event of any writer that was changed since', async (fresh) => {
  await using data = await fresh.open();
  await fill(data, 25);
  await fill(data, 7, signer('two'), 100);
  const lines = await exported(data);
  const verifier = new ExportVerifier(new Set([keys[0]?.public_key ?? '']));
  for (const line of lines) verifier.add(line);
  expect(verifier.finish()).toMatchObject({ events: 32, checkpoints: 4, flaw: undefined });
  expect(await verifyAudit(data.read, keys, each(lines))).toMatchObject({ events: 32, checkpoints: 4, flaw: undefined });
  await fill(data, 5, signer('one'), 26);
  expect((await verifyAudit(data.read, keys, each(lines))).flaw).toBeUndefined();

  await data.write(async (tx) => { await tx.updateTable('audit_event').set({ hash: '0'.repeat(64) }).where('writer', '=', 'two').where('sequence', '=', 4).execute(); });
  const fourth = await data.read.selectFrom('audit_event').select('id').where('writer', '=', 'two').where('sequence', '=', 4).executeTakeFirst();
  expect((await verifyAudit(data.read, keys, each(lines))).flaw).toMatchObject({ kind: 'differs', writer: 'two', sequence: 4, id: fourth?.id });
  expect((await verifyAudit(data.read, keys)).flaw).toMatchObject({ kind: 'changed', writer: 'two', sequence: 4 });
});

forEachEngine('who removes a whole chain with its checkpoints and head is found out by an export', async (fresh) => {
  await using data = await fresh.open();
  await fill(data, 12, signer('two'));
  const lines = await exported(data);
  await data.write(async (tx) => { for (const table of ['audit_event', 'audit_checkpoint', 'audit_chain'] as const) await tx.deleteFrom(table).where('writer', '=', 'two').execute(); });
  expect((await verifyAudit(data.read, keys)).flaw).toBeUndefined();
  expect((await verifyAudit(data.read, keys, each(lines))).flaw).toMatchObject({ kind: 'removed', writer: 'two', sequence: 1 });
});

forEachEngine('a tail that no checkpoint covers yet is missed too, by the head of the chain', async (fresh) => {
  await using data = await fresh.open();
  await fill(data, 14);
  await data.write(async (tx) => { await tx.deleteFrom('audit_event').where('sequence', '>', 12).execute(); });
  expect((await verifyAudit(data.read, keys)).flaw).toMatchObject({ kind: 'truncated', sequence: 13 });
});

forEachEngine('a key that only the database names signs nothing', async (fresh) => {
  await using data = await fresh.open();
  const forger = generateKeyPairSync('ed25519');
  await fill(data, 10, { writer: 'one', keyId: 'k', key: forger.privateKey, checkpointEvents: 10 });
  expect((await verifyAudit(data.read, keys)).flaw).toMatchObject({ kind: 'unsigned', sequence: 10 });
});

forEachEngine('old events are removed up to a checkpoint, with a signed cut that is an event itself, and verify begins there', async (fresh) => {
  await using data = await fresh.open();
  await fill(data, 47);
  const lines = await exported(data);
  expect(await cutAudit(data, signer('one'), { olderThanMs: 34_500, requireExport: false }, 100 * dayMs)).toEqual({ removed: 30, waiting: false });
  const left = await data.read.selectFrom('audit_event').select(['sequence', 'action', 'object']).orderBy('sequence').execute();
  expect(left[0]?.sequence).toBe(31);
  expect(left.at(-1)).toEqual({ sequence: 48, action: 'audit.cut', object: 'audit:one' });
  expect(await verifyAudit(data.read, keys)).toMatchObject({ events: 18, flaw: undefined, cuts: [{ writer: 'one', sequence: 30 }] });
  expect((await verifyAudit(data.read, keys, each(lines))).flaw).toBeUndefined();
  const after = await exported(data);
  const verifier = new ExportVerifier();
  for (const line of after) verifier.add(line);
  expect(verifier.finish()).toMatchObject({ events: 18, flaw: undefined });
  // Removing one more without leave is found.
  await data.write(async (tx) => { await tx.deleteFrom('audit_event').where('sequence', '=', 31).execute(); });
  expect((await verifyAudit(data.read, keys)).flaw).toMatchObject({ kind: 'removed', sequence: 31 });
});

forEachEngine('a chain goes on where it was when all of its events were removed', async (fresh) => {
  await using data = await fresh.open();
  await fill(data, 20, signer('two'));
  expect(await cutAudit(data, signer('one'), { olderThanMs: 10 * dayMs, requireExport: false }, 20 * dayMs)).toEqual({ removed: 20, waiting: false });
  await fill(data, 3, signer('two'), 21);
  expect(await verifyAudit(data.read, keys)).toMatchObject({ events: 4, flaw: undefined });
});

forEachEngine('with require_export, what is in no export stays, and says so', async (fresh) => {
  await using data = await fresh.open();
  await fill(data, 20);
  const retention = { olderThanMs: 10 * dayMs, requireExport: true };
  expect(await cutAudit(data, signer('one'), retention, 20 * dayMs)).toEqual({ removed: 0, waiting: true });
  await exported(data);
  await fill(data, 20, signer('one'), 21);
  expect(await cutAudit(data, signer('one'), retention, 20 * dayMs)).toEqual({ removed: 20, waiting: true });
  expect((await verifyAudit(data.read, keys)).flaw).toBeUndefined();
});

forEachEngine('a log that does not fit its checkpoint is not cut: that would hide it', async (fresh) => {
  await using data = await fresh.open();
  await fill(data, 10);
  await data.write(async (tx) => { await tx.updateTable('audit_event').set({ hash: '0'.repeat(64) }).where('sequence', '=', 10).execute(); });
  await expect(cutAudit(data, signer('one'), { olderThanMs: 10 * dayMs, requireExport: false }, 20 * dayMs)).rejects.toMatchObject({ code: 'audit.broken' });
});

forEachEngine('thousands of old events go in pieces', async (fresh) => {
  await using data = await fresh.open();
  for (let from = 1; from < 7_000; from += 1_000) await fill(data, 1_000, signer('one', 500), from);
  expect(await cutAudit(data, signer('one', 500), { olderThanMs: 90_000_000, requireExport: false }, 100 * dayMs)).toMatchObject({ removed: 7_000 });
  expect((await verifyAudit(data.read, keys)).flaw).toBeUndefined();
}, 120_000);

forEachEngine('whatever a caller sends fits the log and comes back as it was hashed', async (fresh) => {
  await using data = await fresh.open();
  await data.write(async (tx) => {
    await appendAudit(tx, signer('one'), entry(1, { object: 'x'.repeat(10_000), reason: `\0\ud800 ${'é'.repeat(2_000)}`, principal: '\udfff' }), 1);
    await checkpointAudit(tx, signer('one'), 2);
  });
  expect((await verifyAudit(data.read, keys)).flaw).toBeUndefined();
});
