/** Writes the audit trail: with a change, beside a stream, and the counted refusals once a second. Tells when it cannot. */
import type { Clock } from '@weir/contracts/clock';
import { appendAudit, checkpointAudit, type AuditSigner } from '@weir/data/audit-log';
import type { Data } from '@weir/data/data';
import type { Tx } from '@weir/data/schema';
import type { AuditEntry, RefusalTally } from '@weir/security/audit';
import { objectName, type Admission, type Resource } from '@weir/security/gatekeeper';
import type { Holding } from '@weir/security/rights';
import type { Logger } from 'pino';

const flushEveryMs = 1_000;
/** Events of opened streams that may wait for the database. */
const mostWaiting = 10_000;

export class AuditTrail implements AsyncDisposable {
  readonly #data: Data;
  readonly #signer: AuditSigner;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #waiting: AuditEntry[] = [];
  #refusals: RefusalTally | undefined;
  #works = true;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> | undefined;

  constructor(data: Data, signer: AuditSigner, clock: Clock, log: Logger) {
    this.#data = data;
    this.#signer = signer;
    this.#clock = clock;
    this.#log = log;
  }

  /** False after a write failed, until one works again. */
  get works(): boolean { return this.#works; }

  start(refusals: RefusalTally): void {
    this.#refusals = refusals;
    this.#timer = setInterval(() => { void this.flush(); }, flushEveryMs);
    this.#timer.unref();
  }

  /** Class A: in the transaction of the change. */
  record(tx: Tx, entry: AuditEntry): Promise<void> {
    return appendAudit(tx, this.#signer, entry, this.#clock());
  }

  /** Class B: a stream was opened; written with the next group. */
  opened<H extends Holding>(admission: Admission<H>, requestId: string, detail: string): void {
    if (this.#waiting.length >= mostWaiting) this.#waiting.shift();
    this.#waiting.push({
      class: 'B', principal: admission.identity.principal ?? '', address: admission.address, action: admission.action,
      object: admission.holding === undefined ? detail : `holding:${admission.holding.id}`, decision: 'allowed', reason: admission.reason, requestId,
    });
  }

  /** Writes what waits. Never throws: the log says what failed, and privileged actions are refused until it works. */
  async flush(): Promise<void> {
    await this.#flushing;
    this.#flushing = this.#write().finally(() => { this.#flushing = undefined; });
    await this.#flushing;
  }

  async #write(): Promise<void> {
    const opened = this.#waiting.splice(0);
    const entries = [...opened, ...(this.#refusals?.take() ?? [])];
    if (entries.length === 0 && this.#works) return;
    try {
      await this.#data.write(async (tx) => {
        for (const entry of entries) await appendAudit(tx, this.#signer, entry, this.#clock());
        if (entries.length === 0) await checkpointAudit(tx, this.#signer, this.#clock());
      });
      this.#works = true;
    } catch (error) {
      this.#works = false;
      this.#waiting.unshift(...opened.slice(0, mostWaiting - this.#waiting.length));
      this.#log.error({ err: error }, 'the audit log can not be written; privileged actions are refused');
    }
  }

  /** Signs the head of the chain and stops. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
    await this.#data.write((tx) => checkpointAudit(tx, this.#signer, this.#clock()));
  }
}

/** The class A entry of an admitted change. */
export const changeEntry = <H extends Holding>(admission: Admission<H>, resource: Resource | string, requestId: string, detail = ''): AuditEntry => ({
  class: 'A', principal: admission.identity.principal ?? '', address: admission.address, action: admission.action,
  object: typeof resource === 'string' ? resource : objectName(resource), decision: 'allowed', reason: detail === '' ? admission.reason : detail, requestId,
});
