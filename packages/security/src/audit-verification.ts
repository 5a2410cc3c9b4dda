/** Finds the event of an audit chain that was changed, removed, inserted or moved, and names it. */
import type { KeyObject } from 'node:crypto';
import { chainStart, hashEvent, isSigned, type AuditEvent, type Checkpoint, type Cut } from './audit.ts';

/**
 * `truncated`: the end is missing. `rewritten`: every hash fits, but a signed checkpoint says otherwise. `unsigned`: a checkpoint or
 * cut that no known key signed. `differs`: not what an export of before holds.
 */
export type FlawKind = 'changed' | 'removed' | 'inserted' | 'reordered' | 'truncated' | 'rewritten' | 'unsigned' | 'differs';

/** `id` is null where the event itself is gone; `sequence` is then the place that it had. */
export type Flaw = Readonly<{ kind: FlawKind; writer: string; sequence: number; id: string | null; reason: string }>;

export type KeyOf = (keyId: string) => KeyObject | undefined;

type Chain = Readonly<{
  writer: string; checkpoints: readonly Checkpoint[]; keyOf: KeyOf;
  /** The newest signed cut: the chain may begin behind it. */
  cut?: Cut | undefined;
  /** The event before the first, where a part of a chain is looked at and nothing is signed. */
  after?: Readonly<{ sequence: number; hash: string }>;
}>;

/**
 * Reads one writer's events in order: `add` each, then `finish`. Holds no more than two events and the hashes at the checkpoints.
 * What is wrong is told apart by what comes behind the first event that does not fit, so a flaw is known only at the end.
 */
export class ChainVerifier {
  readonly #chain: Chain;
  readonly #wanted: ReadonlySet<number>;
  readonly #hashes = new Map<number, string>();
  #sequence: number;
  #hash: string;
  /** The last event that fitted. */
  #last: AuditEvent | undefined;
  /** The first event that did not fit, and the one behind it. */
  #strange: AuditEvent | undefined;
  #next: AuditEvent | undefined;
  /** Seen behind the first strange event: the one that was expected in its place, and its own sequence once more. */
  #late: AuditEvent | undefined;
  #twice = false;

  constructor(chain: Chain) {
    this.#chain = chain;
    this.#wanted = new Set(chain.checkpoints.map((point) => point.sequence));
    const { sequence, hash } = chain.cut ?? chain.after ?? { sequence: 0, hash: chainStart };
    this.#sequence = sequence;
    this.#hash = hash;
    if (this.#wanted.has(this.#sequence)) this.#hashes.set(this.#sequence, this.#hash);
  }

  add(event: AuditEvent): void {
    if (this.#strange === undefined) {
      if (!this.#fits(event)) { this.#strange = event; return; }
      this.#sequence = event.sequence;
      this.#hash = event.hash;
      this.#last = event;
      if (this.#wanted.has(event.sequence)) this.#hashes.set(event.sequence, event.hash);
      return;
    }
    this.#next ??= event;
    if (event.sequence === this.#sequence + 1) this.#late ??= event;
    if (event.sequence === this.#strange.sequence) this.#twice = true;
  }

  #fits(event: AuditEvent): boolean {
    return event.sequence === this.#sequence + 1 && event.previousHash === this.#hash && hashEvent(event) === event.hash;
  }

  /** The first flaw, or undefined for an intact chain. `head` is the sequence that the chain is said to end at, where that is known. */
  finish(head = 0): Flaw | undefined {
    const { cut, checkpoints, keyOf } = this.#chain;
    if (cut !== undefined && !isSigned('cut', cut, keyOf(cut.keyId))) {
      return this.#flaw('unsigned', cut.sequence, null, `the cut at ${cut.sequence} is not signed by a known key of this instance`);
    }
    if (this.#strange !== undefined) return this.#diagnose(this.#strange, this.#next);
    let agreed = cut?.sequence ?? 0;
    for (const point of checkpoints.filter(({ sequence }) => sequence >= (cut?.sequence ?? 0))) {
      if (!isSigned('checkpoint', point, keyOf(point.keyId))) {
        return this.#flaw('unsigned', point.sequence, null, `the checkpoint at ${point.sequence} is not signed by a known key of this instance`);
      }
      if (point.sequence > this.#sequence) return this.#truncated(point.sequence);
      if (this.#hashes.get(point.sequence) !== point.hash) {
        return this.#flaw('rewritten', point.sequence, null, `the chain differs from the signed checkpoint at ${point.sequence}: something after ${agreed} was changed and every hash made anew`);
      }
      agreed = point.sequence;
    }
    return head > this.#sequence ? this.#truncated(head) : undefined;
  }

  #truncated(end: number): Flaw {
    const from = this.#sequence + 1;
    return this.#flaw('truncated', from, null, from === end ? `event ${end}, the last, was removed` : `events ${from} to ${end} were removed from the end`);
  }

  /** Why `event` does not fit behind what came before it; `next` came behind it. */
  #diagnose(event: AuditEvent, next: AuditEvent | undefined): Flaw {
    const expected = this.#sequence + 1;
    const follows = event.previousHash === this.#hash;
    if (hashEvent(event) !== event.hash) return this.#flaw('changed', follows ? expected : event.sequence, event.id, 'a field of it was changed');
    if (follows) return this.#flaw('changed', expected, event.id, 'its sequence was changed and its hash made anew');
    if (event.sequence === expected) return this.#diagnoseBreak(event, next);
    if (event.sequence < expected) {
      const last = this.#last;
      const replaced = last !== undefined && last.sequence === event.sequence && next?.previousHash === event.hash ? last : event;
      return this.#flaw('inserted', replaced.sequence, replaced.id, `it stands where event ${expected} belongs`);
    }
    if (next?.sequence === expected && next.previousHash === this.#hash) {
      return this.#flaw(this.#twice ? 'inserted' : 'reordered', event.sequence, event.id, `it stands before event ${expected}`);
    }
    if (this.#late !== undefined) return this.#flaw('reordered', expected, this.#late.id, `it stands behind event ${event.sequence}`);
    const gone = expected === event.sequence - 1 ? `event ${expected} was` : `events ${expected} to ${event.sequence - 1} were`;
    return this.#flaw('removed', expected, null, `${gone} removed; the next one is ${event.id}`);
  }

  /** Two neighbours that are each whole and do not fit: one of them was written anew. What comes behind, or a checkpoint, says which. */
  #diagnoseBreak(event: AuditEvent, next: AuditEvent | undefined): Flaw {
    const last = this.#last;
    const signed = this.#chain.checkpoints.find(({ sequence }) => sequence === event.sequence)?.hash;
    const isGenuine = signed === undefined ? next?.previousHash === event.hash : signed === event.hash;
    const culprit = isGenuine && last !== undefined ? last : event;
    return this.#flaw('changed', culprit.sequence, culprit.id, 'it was changed and its hash made anew, so its neighbour does not follow');
  }

  #flaw(kind: FlawKind, sequence: number, id: string | null, reason: string): Flaw {
    return { kind, writer: this.#chain.writer, sequence, id, reason };
  }
}
