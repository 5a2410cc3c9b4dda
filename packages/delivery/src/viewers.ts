/** Who is watching what, now: every open response and socket is registered before its first byte, and ends when its right does. */
import { WeirError } from '@weir/contracts/errors';
import { viewerKey, type Admission, type Gatekeeper } from '@weir/security/gatekeeper';
import type { Holding } from '@weir/security/rights';

export interface Viewer extends Disposable {
  /** Takes the viewer off the list; called when the flow ended by itself. */
  close(): void;
}

type Entry<H extends Holding> = Readonly<{ admission: Admission<H>; key: string; client: string; end: (reason: string) => void }>;

/** The longest wait a timer takes; later endings are looked at again then. */
const longestTimerMs = 86_400_000;

export class Viewers<H extends Holding> {
  readonly #gatekeeper: Gatekeeper<H>;
  readonly #bySubject = new Map<string, Set<Entry<H>>>();
  readonly #byHolding = new Map<string, Set<Entry<H>>>();
  readonly #timers = new Map<Entry<H>, NodeJS.Timeout>();
  readonly #stopListening: () => void;

  constructor(gatekeeper: Gatekeeper<H>) {
    this.#gatekeeper = gatekeeper;
    this.#stopListening = gatekeeper.epochs.onMove((subjects) => this.#moved(subjects));
  }

  /** How many others watch a holding for a principal (or a link and address); requests of one client count once. */
  openings(key: string, holding: string, client = ''): number {
    const clients = new Set<string>();
    for (const entry of this.#byHolding.get(holding) ?? []) if (entry.key === key && entry.client !== client) clients.add(entry.client);
    return clients.size;
  }

  /**
   * Registers a flow. `end` is called once, when the right ends: it must stop the bytes at once. Throws `policy.refused` when the policy's number of concurrent openings is reached, which is decided here, without a gap.
   */
  open(admission: Admission<H>, end: (reason: string) => void): Viewer {
    const { holding, client } = admission;
    if (holding === undefined) throw new WeirError('internal', 'A flow was opened without a holding.');
    const key = viewerKey(admission.identity, admission.grant, admission.address);
    const most = admission.action === 'content.read_any' ? Infinity : (holding.policy?.maxConcurrentPerPrincipal ?? Infinity);
    if (this.openings(key, holding.id, client) >= most) throw new WeirError('policy.refused', `Only ${most} at a time may watch this with your right; end another first.`);
    const entry: Entry<H> = { admission, key, client, end };
    add(this.#byHolding, holding.id, entry);
    for (const subject of admission.subjects) add(this.#bySubject, subject, entry);
    this.#watchTheClock(entry);
    // A right that moved while this was decided has told the others already: ask once more.
    if (this.#gatekeeper.epochs.sequence !== admission.sequence) this.#decideAgain(entry);
    const close = () => this.#remove(entry);
    return { close, [Symbol.dispose]: close };
  }

  get size(): number {
    let count = 0;
    for (const entries of this.#byHolding.values()) count += entries.size;
    return count;
  }

  /** Ends every flow: the server stops, or cannot read the rights any more. */
  endAll(reason: string): void {
    for (const entries of [...this.#byHolding.values()]) for (const entry of [...entries]) this.#end(entry, reason);
  }

  stop(): void {
    this.#stopListening();
    this.endAll('server stopping');
  }

  #moved(subjects: readonly string[]): void {
    const affected = new Set<Entry<H>>();
    for (const subject of subjects) for (const entry of this.#bySubject.get(subject) ?? []) affected.add(entry);
    for (const entry of affected) this.#decideAgain(entry);
  }

  #decideAgain(entry: Entry<H>): void {
    this.#gatekeeper.goesOn(entry.admission).then(
      (decision) => { if (!decision.allowed) this.#end(entry, decision.reason); },
      // Whoever can't be asked is not admitted.
      () => this.#end(entry, 'rights unreadable'),
    );
  }

  /** Tokens, sessions, grants and policies end by time as well. */
  #watchTheClock(entry: Entry<H>): void {
    const { identity, grant, holding } = entry.admission;
    const ends = Math.min(identity.expiresAtMs, grant?.expiresAtMs ?? Infinity, holding?.policy?.validUntilMs ?? Infinity,
      ...(holding?.ceilings ?? []).map((ceiling) => ceiling.policy?.validUntilMs ?? Infinity));
    if (ends === Infinity) return;
    const timer = setTimeout(() => {
      this.#decideAgain(entry);
      if (this.#timers.has(entry)) this.#watchTheClock(entry);
    }, Math.min(Math.max(ends - Date.now(), 0) + 10, longestTimerMs));
    timer.unref();
    this.#timers.set(entry, timer);
  }

  #end(entry: Entry<H>, reason: string): void {
    if (this.#remove(entry)) entry.end(reason);
  }

  #remove(entry: Entry<H>): boolean {
    const { holding, subjects } = entry.admission;
    clearTimeout(this.#timers.get(entry));
    this.#timers.delete(entry);
    for (const subject of subjects) remove(this.#bySubject, subject, entry);
    return holding !== undefined && remove(this.#byHolding, holding.id, entry);
  }
}

function add<T>(map: Map<string, Set<T>>, key: string, entry: T): void {
  const entries = map.get(key);
  if (entries === undefined) map.set(key, new Set([entry]));
  else entries.add(entry);
}

function remove<T>(map: Map<string, Set<T>>, key: string, entry: T): boolean {
  const entries = map.get(key);
  const removed = entries?.delete(entry) ?? false;
  if (entries?.size === 0) map.delete(key);
  return removed;
}
