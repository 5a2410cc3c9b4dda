/**
 * The audit trail as data: events, their hash chain, signed checkpoints, and the check that finds a removed, changed or reordered one.
 * Each writer has its own chain. A hash covers every field with its length before it, and the hash of the event before.
 */
import { createHash, sign, verify, type KeyObject } from 'node:crypto';

/**
 * A: rights, keys, credentials, policies; written in the transaction of the change. B: a stream was opened; one event each.
 * C: refusals, counted together by address prefix, principal and reason.
 */
export type AuditClass = 'A' | 'B' | 'C';

export type AuditEntry = Readonly<{
  class: AuditClass; principal: string; address: string; action: string; object: string;
  decision: 'allowed' | 'refused'; reason: string; requestId: string; count?: number;
}>;

export type AuditEvent = Readonly<{
  id: string; writer: string; sequence: number; atMs: number; class: string; principal: string; address: string; action: string; object: string;
  decision: string; reason: string; count: number; requestId: string; previousHash: string; hash: string;
}>;

export type Checkpoint = Readonly<{ writer: string; sequence: number; hash: string; atMs: number; keyId: string; signature: string }>;

/** What comes before the first event of a chain. */
export const chainStart = '0'.repeat(64);

export function hashEvent(event: Omit<AuditEvent, 'hash'>): string {
  const hash = createHash('sha256');
  for (const field of [
    'weir/audit/v1', event.writer, event.sequence, event.id, event.atMs, event.class, event.principal, event.address, event.action, event.object,
    event.decision, event.reason, event.count, event.requestId, event.previousHash,
  ]) {
    const bytes = Buffer.from(String(field));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
  }
  return hash.digest('hex');
}

const checkpointText = (point: Omit<Checkpoint, 'signature'>): Buffer =>
  Buffer.from(`weir/audit-checkpoint/v1\n${point.writer}\n${point.sequence}\n${point.hash}\n${point.atMs}\n${point.keyId}`);

/** Ed25519 over the chain's head: later, nobody without the key can shorten the chain to before this point unnoticed. */
export function signCheckpoint(point: Omit<Checkpoint, 'signature'>, key: KeyObject): Checkpoint {
  return { ...point, signature: sign(null, checkpointText(point), key).toString('base64url') };
}

export type Flaw = Readonly<{ id: string; writer: string; sequence: number; reason: string }>;

/** Reads one writer's events in order and says where the chain first breaks. Feed every event, then `finish` with the checkpoints. */
export class ChainVerifier {
  #sequence: number;
  #hash: string;
  #flaw: Flaw | undefined;
  readonly #hashes = new Map<number, string>();
  readonly #wanted: ReadonlySet<number>;
  readonly #writer: string;

  /** `checkpoints` of this writer; only the hashes at their sequences are remembered. `after`: the event before the first, where that one is gone. */
  constructor(writer: string, checkpoints: readonly Checkpoint[], after: Readonly<{ sequence: number; hash: string }> = { sequence: 0, hash: chainStart }) {
    this.#writer = writer;
    this.#sequence = after.sequence;
    this.#hash = after.hash;
    this.#wanted = new Set(checkpoints.map((point) => point.sequence));
  }

  add(event: AuditEvent): void {
    if (this.#flaw !== undefined) return;
    const expected = this.#sequence + 1;
    if (event.sequence !== expected) {
      this.#flaw = { id: event.id, writer: event.writer, sequence: expected, reason: `event ${expected} is missing before this one (it is ${event.sequence})` };
    } else if (event.previousHash !== this.#hash) {
      this.#flaw = { id: event.id, writer: event.writer, sequence: event.sequence, reason: 'it does not follow the event before it' };
    } else if (hashEvent(event) !== event.hash) {
      this.#flaw = { id: event.id, writer: event.writer, sequence: event.sequence, reason: 'a field was changed' };
    }
    this.#sequence = event.sequence;
    this.#hash = event.hash;
    if (this.#wanted.has(event.sequence)) this.#hashes.set(event.sequence, event.hash);
  }

  /** The first flaw, or undefined for an intact chain. `keyOf` finds the public key of a checkpoint. */
  finish(checkpoints: readonly Checkpoint[], keyOf: (keyId: string) => KeyObject | undefined): Flaw | undefined {
    if (this.#flaw !== undefined) return this.#flaw;
    for (const point of checkpoints) {
      const at = { id: `checkpoint ${point.sequence}`, writer: this.#writer, sequence: point.sequence };
      const key = keyOf(point.keyId);
      if (key === undefined || !verify(null, checkpointText(point), key, Buffer.from(point.signature, 'base64url'))) {
        return { ...at, reason: 'the checkpoint is not signed by a key of this instance' };
      }
      if (point.sequence > this.#sequence) return { ...at, reason: `events ${this.#sequence + 1} to ${point.sequence} were removed` };
      if (this.#hashes.get(point.sequence) !== point.hash) return { ...at, reason: 'the chain differs from the signed checkpoint' };
    }
    return undefined;
  }
}

/** Counts refusals that are alike, so that a flood of them costs one event each period; bounded, the overflow in one line of its own. */
export class RefusalTally {
  readonly #limit: number;
  readonly #tally = new Map<string, { entry: AuditEntry; count: number }>();

  constructor(limit = 1_000) {
    this.#limit = limit;
  }

  add(entry: AuditEntry): void {
    const key = `${entry.address}\n${entry.principal}\n${entry.action}\n${entry.reason}`;
    const same = this.#tally.get(key);
    if (same !== undefined) { same.count += 1; return; }
    if (this.#tally.size < this.#limit) { this.#tally.set(key, { entry, count: 1 }); return; }
    const overflow = this.#tally.get('');
    if (overflow !== undefined) { overflow.count += 1; return; }
    this.#tally.set('', { entry: { ...entry, address: 'many', principal: 'many', object: '', requestId: '', reason: 'more kinds of refusal than are kept' }, count: 1 });
  }

  /** Takes what was counted. */
  take(): AuditEntry[] {
    const entries = [...this.#tally.values()].map(({ entry, count }) => ({ ...entry, count }));
    this.#tally.clear();
    return entries;
  }

  get size(): number { return this.#tally.size; }
}
