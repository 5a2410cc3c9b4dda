/** `weir audit …`: reads, exports and checks the audit log on the server's machine; an export is checked anywhere. */
import { createReadStream } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import type { AuditEvent, AuditKey, AuditSearch } from '@weir/contracts/audit';
import { WeirError } from '@weir/contracts/errors';
import { toInstant } from '@weir/contracts/identity';
import { exportAudit } from '@weir/data/audit-export';
import { appendAudit, toWireEvent } from '@weir/data/audit-log';
import { auditSince, searchAudit } from '@weir/data/audit-search';
import { verifyAudit } from '@weir/data/audit-verification';
import { auditKeys } from '@weir/data/security-stores/audit-keys';
import type { Cut } from '@weir/security/audit';
import { ExportVerifier } from '@weir/security/audit-export';
import type { Flaw } from '@weir/security/audit-verification';
import { note, print, printJson, type Context } from '../context.ts';
import { Finished } from '../failure.ts';
import type { InstanceFlags } from '../flags.ts';
import { tableText } from '../terminal/table.ts';
import { openForOperator } from './operator.ts';

type Filter = Omit<AuditSearch, 'cursor' | 'limit'>;
export type ListFlags = InstanceFlags & Readonly<Filter & { limit: number; cursor?: string; follow?: boolean; json?: boolean }>;
export type VerifyFlags = InstanceFlags & Readonly<{ against?: string; json?: boolean }>;
export type FileFlags = Readonly<{ publicKey?: readonly string[]; json?: boolean }>;

const followEveryMs = 1_000;
const mostPerTurn = 500;
/** As long as the first line of an export may be. */
const maxLineLength = 1 << 24;

export async function list(this: Context, flags: ListFlags): Promise<void> {
  const { limit, cursor, follow, json, data: _data, config: _config, ...filter } = flags;
  await using instance = await openForOperator(this, flags);
  if (follow === true) {
    for await (const event of followed(instance.data.read, filter, limit, this.signal)) print(this, json === true ? JSON.stringify(event) : cells(event).join('  '));
    return;
  }
  const items: AuditEvent[] = [];
  let next: string | null = cursor ?? null;
  do {
    const page = await searchAudit(instance.data.read, { ...filter, limit: limit - items.length, ...(next === null ? {} : { cursor: next }) });
    items.push(...page.rows.map(toWireEvent));
    next = page.next;
  } while (items.length < limit && next !== null && !this.signal.aborted);
  if (json === true) return printJson(this, { items, next_cursor: next });
  print(this, tableText(['AT', 'WHO', 'FROM', 'ACTION', 'OBJECT', 'DECISION', 'REASON'], items.map(cells)));
}

const cells = ({ at, principal, address, action, object, decision, count, reason }: AuditEvent): readonly string[] =>
  [at, principal || '-', address || '-', action, object, count > 1 ? `${decision} ×${count}` : decision, reason];

/** The newest that match, oldest of them first, then what happens, until the signal. */
async function* followed(db: Parameters<typeof searchAudit>[0], filter: Filter, limit: number, signal: AbortSignal): AsyncGenerator<AuditEvent> {
  let last = (await searchAudit(db, { limit: 1 })).rows[0];
  const { rows } = await searchAudit(db, { ...filter, limit });
  const start = last;
  for (const row of rows.toReversed()) if (start === undefined || row.at < start.at || (row.at === start.at && row.id <= start.id)) yield toWireEvent(row);
  while (!signal.aborted) {
    const fresh = await auditSince(db, filter, last === undefined ? '0.' : `${last.at}.${last.id}`, mostPerTurn);
    for (const row of fresh) yield toWireEvent(row);
    last = fresh.at(-1) ?? last;
    if (fresh.length < mostPerTurn) await wait(followEveryMs, undefined, { signal }).catch(() => undefined);
  }
}

export async function exportLog(this: Context, flags: InstanceFlags): Promise<void> {
  await using instance = await openForOperator(this, flags);
  const { data, auditSigner: signer, clock } = instance;
  await data.write((tx) => appendAudit(tx, signer, {
    class: 'B', principal: 'operator', address: '', action: 'audit.read', object: 'audit:export', decision: 'allowed', reason: 'operator', requestId: '',
  }, clock()));
  const { stdout } = this.process;
  const keys = await auditKeys(data.read, instance.keyRing);
  for await (const piece of exportAudit({ data, signer, instance: instance.id, keys, nowMs: clock() })) {
    if (!stdout.write(piece)) await new Promise((resolve) => { stdout.once('drain', resolve); });
    this.signal.throwIfAborted();
  }
}

type Result = Readonly<{ events: number; checkpoints: number; cuts: readonly Cut[]; keys: readonly AuditKey[]; flaw: Flaw | undefined }>;

/** Beside the log of this machine, its own or with an export of before. */
export async function verify(this: Context, flags: VerifyFlags): Promise<void> {
  await using instance = await openForOperator(this, flags);
  const keys = await auditKeys(instance.data.read, instance.keyRing);
  report(this, flags, { ...await verifyAudit(instance.data.read, keys, flags.against === undefined ? undefined : linesOf(flags.against)), keys });
}

/** An export alone, on any machine. */
export async function verifyFile(this: Context, flags: FileFlags, file: string): Promise<void> {
  const verifier = new ExportVerifier(flags.publicKey === undefined ? undefined : new Set(flags.publicKey));
  for await (const line of linesOf(file)) verifier.add(line);
  const result = verifier.finish();
  report(this, flags, result);
  if (flags.publicKey === undefined && flags.json !== true) {
    note(this, `Whole by the key that the export itself names. Compare it with the one of the instance, or give that with --public-key: ${result.keys.map((key) => key.public_key).join(' ')}`);
  }
}

function report(context: Context, { json }: Readonly<{ json?: boolean }>, { events, checkpoints, cuts, keys, flaw }: Result): void {
  const begins = cuts.map(({ writer, sequence, atMs }) => ({ writer, sequence, at: toInstant(atMs) }));
  if (json === true) {
    printJson(context, { intact: flaw === undefined, events, checkpoints, first_bad: flaw ?? null, begins_after: begins, keys });
    if (flaw !== undefined) throw new Finished(1);
    return;
  }
  if (flaw !== undefined) {
    const event = flaw.writer === '' ? '' : ` event ${flaw.sequence} of ${flaw.writer}${flaw.id === null ? '' : ` (${flaw.id})`}:`;
    throw new WeirError('audit.broken', `The audit log was tampered with: ${flaw.kind}:${event} ${flaw.reason}. Compare with an export or a backup of before.`);
  }
  print(context, `intact: ${events} events, ${checkpoints} signed checkpoints`);
  for (const { writer, sequence, at } of begins) print(context, `${writer} begins after event ${sequence}: the ones before were removed on ${at}, signed`);
}

/** The lines of a file, none of them longer than a line of an export can be. */
async function* linesOf(file: string): AsyncGenerator<string> {
  let rest = '';
  for await (const piece of createReadStream(file, { encoding: 'utf8', highWaterMark: 1 << 18 })) {
    const lines = `${rest}${String(piece)}`.split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > maxLineLength) throw new WeirError('request.invalid', `${file} is no export of an audit log: it has a line of more than ${maxLineLength} characters.`);
    yield* lines;
  }
  if (rest !== '') yield rest;
}
