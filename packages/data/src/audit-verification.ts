/** Walks the audit log of this database, by itself or beside an export of before, and names the first event that is wrong. */
import type { AuditKey } from '@weir/contracts/audit';
import type { AuditEvent, Cut } from '@weir/security/audit';
import { ExportVerifier } from '@weir/security/audit-export';
import { ChainVerifier, type Flaw } from '@weir/security/audit-verification';
import { keysByName } from '@weir/security/audit-wire';
import { pagesOf, toCheckpoint, toEvent } from './audit-log.ts';
import type { Database } from './schema.ts';

export type Verification = Readonly<{ events: number; checkpoints: number; cuts: readonly Cut[]; flaw: Flaw | undefined }>;

/** `keys` are those of the key ring, not of the database: who writes to it could name a key of his own. `against`: the lines of an export. */
export async function verifyAudit(db: Database, keys: readonly AuditKey[], against?: AsyncIterable<string>): Promise<Verification> {
  let cuts = await newestCuts(db);
  const differing = against === undefined ? undefined : await compare(db, keys, cuts, against);
  for (;;) {
    const walked = await walkChains(db, keys, cuts);
    const then = await newestCuts(db);
    // A cut that was made during the walk looks like removed events.
    if (walked.flaw === undefined || [...then].every(([writer, { sequence }]) => cuts.get(writer)?.sequence === sequence)) {
      return { ...walked, flaw: differing ?? walked.flaw, cuts: [...cuts.values()] };
    }
    cuts = then;
  }
}

async function walkChains(db: Database, keys: readonly AuditKey[], cuts: ReadonlyMap<string, Cut>): Promise<Omit<Verification, 'cuts'>> {
  const known = keysByName(keys);
  const heads = new Map((await db.selectFrom('audit_chain').select(['writer', 'sequence']).execute()).map(({ writer, sequence }) => [writer, sequence]));
  let events = 0;
  let checkpoints = 0;
  for (const writer of await writersOf(db)) {
    const points = (await db.selectFrom('audit_checkpoint').selectAll().where('writer', '=', writer).orderBy('sequence').execute()).map(toCheckpoint);
    const verifier = new ChainVerifier({ writer, checkpoints: points, keyOf: (id) => known.get(id), cut: cuts.get(writer) });
    for await (const page of pagesOf(db, writer)) {
      for (const row of page) verifier.add(toEvent(row));
      events += page.length;
    }
    checkpoints += points.length;
    // What was appended while this walked is behind the head that was read, not before it.
    const flaw = verifier.finish(heads.get(writer));
    if (flaw !== undefined) return { events, checkpoints, flaw };
  }
  return { events, checkpoints, flaw: undefined };
}

async function writersOf(db: Database): Promise<readonly string[]> {
  const rows = await db.selectFrom('audit_chain').select('writer').union(db.selectFrom('audit_checkpoint').select('writer'))
    .union(db.selectFrom('audit_event').select('writer')).execute();
  return rows.map(({ writer }) => writer).toSorted();
}

/** By writer. Forged ones are refused where they are used, by their signature. */
export async function newestCuts(db: Database): Promise<ReadonlyMap<string, Cut>> {
  const rows = await db.selectFrom('audit_cut').selectAll().orderBy('sequence').execute();
  return new Map(rows.map((row) => [row.writer, toCheckpoint(row)]));
}

const groupSize = 500;

/** Every event of the export must be here with the same hash, unless it was removed by a cut. The export itself must be whole. */
async function compare(db: Database, keys: readonly AuditKey[], cuts: ReadonlyMap<string, Cut>, lines: AsyncIterable<string>): Promise<Flaw | undefined> {
  const verifier = new ExportVerifier(new Set(keys.map((key) => key.public_key)));
  let group: AuditEvent[] = [];
  let flaw: Flaw | undefined;
  const check = async (): Promise<void> => {
    flaw ??= await firstDifference(db, group);
    group = [];
  };
  for await (const line of lines) {
    const event = verifier.add(line);
    if (event === undefined || event.sequence <= (cuts.get(event.writer)?.sequence ?? 0)) continue;
    if (group.length >= groupSize || group.at(-1)?.writer !== event.writer) await check();
    group.push(event);
  }
  await check();
  const { flaw: ofExport } = verifier.finish();
  return ofExport === undefined ? flaw : { ...ofExport, reason: `the export itself is broken: ${ofExport.reason}` };
}

/** `events` are of one writer. */
async function firstDifference(db: Database, events: readonly AuditEvent[]): Promise<Flaw | undefined> {
  const [first] = events;
  if (first === undefined) return undefined;
  const rows = await db.selectFrom('audit_event').select(['sequence', 'hash']).where('writer', '=', first.writer)
    .where('sequence', 'in', events.map(({ sequence }) => sequence)).execute();
  const hashes = new Map(rows.map(({ sequence, hash }) => [sequence, hash]));
  for (const { writer, sequence, id, hash } of events) {
    const found = hashes.get(sequence);
    if (found === undefined) return { kind: 'removed', writer, sequence, id, reason: 'it is in the export and no longer in the log' };
    if (found !== hash) return { kind: 'differs', writer, sequence, id, reason: 'the log holds something else than the export' };
  }
  return undefined;
}
