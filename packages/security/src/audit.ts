/**
 * The audit trail as data: events, their hash chain, signed checkpoints and cuts. Each writer has its own chain. A hash covers every
 * field with its length before it, and the hash of the event before. What finds a broken chain is in `audit-verification`.
 */
import { createHash, sign, verify, type KeyObject } from 'node:crypto';
import { lengthPrefixed } from './length-prefixed.ts';

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

/** Events up to `sequence` were removed on purpose: a chain that begins behind it is whole. `hash` is that of the last one removed. */
export type Cut = Checkpoint;

/** What comes before the first event of a chain. */
export const chainStart = '0'.repeat(64);

export function hashEvent(event: Omit<AuditEvent, 'hash'>): string {
  const fields = [
    event.writer, event.sequence, event.id, event.atMs, event.class, event.principal, event.address, event.action, event.object,
    event.decision, event.reason, event.count, event.requestId, event.previousHash,
  ];
  return createHash('sha256').update(lengthPrefixed('weir/audit/v1', ...fields.map(String))).digest('hex');
}

const signedText = (purpose: 'checkpoint' | 'cut', { writer, sequence, hash, atMs, keyId }: Omit<Checkpoint, 'signature'>): Buffer =>
  lengthPrefixed(`weir/audit-${purpose}/v1`, writer, String(sequence), hash, String(atMs), keyId);

/** Ed25519 over the chain's head: later, nobody without the key can shorten the chain to before this point unnoticed. */
export function signCheckpoint(point: Omit<Checkpoint, 'signature'>, key: KeyObject): Checkpoint {
  return { ...point, signature: sign(null, signedText('checkpoint', point), key).toString('base64url') };
}

/** Ed25519 over where a chain begins once its oldest events are removed. */
export function signCut(cut: Omit<Cut, 'signature'>, key: KeyObject): Cut {
  return { ...cut, signature: sign(null, signedText('cut', cut), key).toString('base64url') };
}

export const isSigned = (purpose: 'checkpoint' | 'cut', point: Checkpoint, key: KeyObject | undefined): boolean =>
  key?.asymmetricKeyType === 'ed25519' && verify(null, signedText(purpose, point), key, Buffer.from(point.signature, 'base64url'));

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
