/** Verifies an export of the audit log by itself: every chain in it, its checkpoints, its beginning and its end. Needs no database. */
import { AuditEvent as WireEvent, AuditExportNote, type AuditKey } from '@weir/contracts/audit';
import type { AuditEvent, Checkpoint, Cut } from './audit.ts';
import { ChainVerifier, type Flaw } from './audit-verification.ts';
import { checkpointFromWire, eventFromWire, keysByName } from './audit-wire.ts';

/** A line of an export is shorter; anything longer is no line of one. */
const maxLineLength = 8_192;
/** The first line names every key and cut. */
const maxNoteLength = 1 << 24;

export type ExportVerification = Readonly<{ events: number; checkpoints: number; cuts: readonly Cut[]; keys: readonly AuditKey[]; flaw: Flaw | undefined }>;

/**
 * Takes the lines of an export one by one. `trusted` are public keys (base64url) that the checkpoints must be signed with; without
 * any, the keys that the export itself names are taken, which shows that it is whole but not whose it is.
 */
export class ExportVerifier {
  readonly #trusted: ReadonlySet<string> | undefined;
  readonly #chains = new Map<string, ChainVerifier>();
  readonly #points = new Map<string, Checkpoint[]>();
  readonly #cuts = new Map<string, Cut>();
  #keys: readonly AuditKey[] = [];
  #ends: ReadonlyMap<string, number> | undefined;
  #lines = 0;
  #events = 0;
  #announced: number | undefined;
  #flaw: Flaw | undefined;

  constructor(trusted?: ReadonlySet<string>) {
    this.#trusted = trusted;
  }

  /** The event of this line, unless it is a note or broken. */
  add(line: string): AuditEvent | undefined {
    this.#lines += 1;
    const read = readLine(line);
    if (read === undefined) this.#broken('changed', `line ${this.#lines} is no line of an export`);
    else if ((this.#lines === 1) !== (read.note !== undefined && 'export' in read.note)) this.#broken('removed', 'the first line of the export is missing or stands elsewhere');
    else if (this.#ends !== undefined) this.#broken('inserted', `line ${this.#lines} stands behind the last line of the export`);
    else if (read.note !== undefined) this.#note(read.note);
    else return this.#event(read.event);
    return undefined;
  }

  #note(note: AuditExportNote): void {
    if ('export' in note) {
      this.#keys = note.export.keys;
      for (const cut of note.export.cuts) this.#cuts.set(cut.writer, checkpointFromWire(cut));
    } else if ('checkpoint' in note) {
      const point = checkpointFromWire(note.checkpoint);
      if (this.#chains.has(point.writer)) this.#broken('reordered', `the checkpoint in line ${this.#lines} stands behind events of its writer`);
      this.#points.set(point.writer, [...this.#points.get(point.writer) ?? [], point]);
    } else {
      this.#announced = note.end.events;
      this.#ends = new Map(note.end.heads.map(({ writer, sequence }) => [writer, sequence]));
    }
  }

  #event(event: AuditEvent): AuditEvent {
    this.#events += 1;
    this.#chain(event.writer).add(event);
    return event;
  }

  #chain(writer: string): ChainVerifier {
    let chain = this.#chains.get(writer);
    if (chain === undefined) {
      const keys = keysByName(this.#keys, this.#trusted);
      chain = new ChainVerifier({ writer, checkpoints: this.#points.get(writer) ?? [], keyOf: (id) => keys.get(id), cut: this.#cuts.get(writer) });
      this.#chains.set(writer, chain);
    }
    return chain;
  }

  #broken(kind: Flaw['kind'], reason: string): void {
    this.#flaw ??= { kind, writer: '', sequence: 0, id: null, reason };
  }

  finish(): ExportVerification {
    const checkpoints = [...this.#points.values()].reduce((sum, points) => sum + points.length, 0);
    return { events: this.#events, checkpoints, cuts: [...this.#cuts.values()], keys: this.#keys, flaw: this.#firstFlaw() };
  }

  /** A broken chain names an event, so it is told before a broken line. */
  #firstFlaw(): Flaw | undefined {
    for (const writer of new Set([...this.#points.keys(), ...this.#cuts.keys(), ...this.#ends?.keys() ?? []])) this.#chain(writer);
    for (const [writer, chain] of this.#chains) {
      const flaw = chain.finish(this.#ends?.get(writer));
      if (flaw !== undefined) return flaw;
    }
    if (this.#ends === undefined) this.#broken('truncated', 'the export ends without its last line');
    else if (this.#announced !== this.#events) this.#broken('removed', `the export says ${this.#announced} events and holds ${this.#events}`);
    return this.#flaw;
  }
}

function readLine(line: string): { event: AuditEvent; note?: never } | { note: AuditExportNote } | undefined {
  if (line.length > maxNoteLength) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  const event = line.length > maxLineLength ? undefined : WireEvent.safeParse(value);
  if (event?.success === true) return { event: eventFromWire(event.data) };
  const note = AuditExportNote.safeParse(value);
  return note.success ? { note: note.data } : undefined;
}
