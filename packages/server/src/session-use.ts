/** Notes when browser sessions were used last: a row each some minutes, so that reading costs no writing. */
import type { Clock } from '@weir/contracts/clock';
import type { Data } from '@weir/data/data';
import { noteUse } from '@weir/data/security-stores/login-sessions';
import type { Logger } from 'pino';

/** How far the stored instant may lag: less than the shortest idle time that can be set. */
const lagMs = 300_000;
const gatherMs = 1_000;
/** Sessions that are remembered; beyond that all are noted again. */
const mostSessions = 100_000;

export class SessionUse {
  readonly #data: Data;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #notedMs = new Map<string, number>();
  #waiting: string[] = [];

  constructor(data: Data, clock: Clock, log: Logger) {
    this.#data = data;
    this.#clock = clock;
    this.#log = log;
  }

  note(session: string): void {
    const now = this.#clock();
    if (now - (this.#notedMs.get(session) ?? 0) < lagMs) return;
    if (this.#notedMs.size >= mostSessions) this.#notedMs.clear();
    this.#notedMs.set(session, now);
    if (this.#waiting.push(session) === 1) setTimeout(() => { this.#write(); }, gatherMs).unref();
  }

  #write(): void {
    const sessions = this.#waiting.splice(0);
    this.#data.write((tx) => noteUse(tx, sessions, this.#clock())).catch((error: unknown) => { this.#log.error({ err: error }, 'the use of sessions could not be noted'); });
  }
}
