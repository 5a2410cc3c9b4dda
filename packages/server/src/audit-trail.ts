/** Writes the audit trail: with a change, beside a stream, and the counted refusals once a second. Tells when it cannot. */
import { createHash } from 'node:crypto';
import type { Clock } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import { toInstant } from '@weir/contracts/identity';
import { appendAudit, checkpointAudit, type AuditSigner } from '@weir/data/audit-log';
import type { Data } from '@weir/data/data';
import { isRetryable } from '@weir/data/database-errors';
import type { Tx } from '@weir/data/schema';
import type { AuditEntry, RefusalTally } from '@weir/security/audit';
import { objectName, type Admission, type Resource } from '@weir/security/gatekeeper';
import type { Holding } from '@weir/security/rights';
import type { Logger } from 'pino';
import type { Config } from './config/schema.ts';
import { version } from './version.ts';

const flushEveryMs = 1_000;
/** Events that may wait for the database. */
const mostWaiting = 10_000;

type Parts = Readonly<{ data: Data; signer: AuditSigner; clock: Clock; log: Logger; checkpointSeconds: number }>;

export class AuditTrail implements AsyncDisposable {
  readonly #parts: Parts;
  readonly #waiting: AuditEntry[] = [];
  #lost = 0;
  #refusals: RefusalTally | undefined;
  /** Since when it can not be written. */
  #failedSince: number | undefined;
  #timers: readonly NodeJS.Timeout[] = [];
  #flushing: Promise<void> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get signer(): AuditSigner { return this.#parts.signer; }

  /** False after a write failed, until one works again. */
  get works(): boolean { return this.#failedSince === undefined; }

  start(refusals: RefusalTally): void {
    this.#refusals = refusals;
    this.#timers = [
      setInterval(() => { void this.flush(); }, flushEveryMs),
      setInterval(() => { void this.#sign(); }, this.#parts.checkpointSeconds * 1_000),
    ];
    for (const timer of this.#timers) timer.unref();
  }

  /** Class A: in the transaction of the change, which fails with `audit.unavailable` when this can not be written. */
  async record(tx: Tx, entry: AuditEntry): Promise<void> {
    try {
      await appendAudit(tx, this.#parts.signer, entry, this.#parts.clock());
    } catch (cause) {
      // Two transactions that met are tried again; that says nothing about the log.
      if (isRetryable(cause)) throw cause;
      this.#failed(cause);
      throw new WeirError('audit.unavailable', undefined, { cause });
    }
  }

  /** A change that only takes rights away: made even while the audit can't be written. Then its event is written when it can. */
  async reduce<T>(change: (tx: Tx) => Promise<T>, entry: AuditEntry | ((result: T) => AuditEntry)): Promise<T> {
    const entryOf = (result: T): AuditEntry => (typeof entry === 'function' ? entry(result) : entry);
    const { data } = this.#parts;
    try {
      return await data.write(async (tx) => {
        const result = await change(tx);
        await this.record(tx, entryOf(result));
        return result;
      });
    } catch (error) {
      if (!(error instanceof WeirError) || error.code !== 'audit.unavailable') throw error;
      const result = await data.write(change);
      const late = entryOf(result);
      this.later({ ...late, reason: `${late.reason} (done while the audit could not be written)` });
      return result;
    }
  }

  /** Class B: a stream was opened; written with the next group. */
  opened<H extends Holding>(admission: Admission<H>, requestId: string, object: string): void {
    this.later({
      class: 'B', principal: admission.identity.principal ?? '', address: admission.address, action: admission.action,
      object: admission.holding === undefined ? object : `holding:${admission.holding.id}`, decision: 'allowed', reason: admission.grant === undefined ? admission.reason : `grant ${admission.grant.id}`, requestId,
    });
  }

  /** Written with the next group. Of more than can wait, the oldest are lost, and counted. */
  later(entry: AuditEntry): void {
    if (this.#waiting.length >= mostWaiting) {
      this.#waiting.shift();
      this.#lost += 1;
    }
    this.#waiting.push(entry);
  }

  /** Writes what waits. Never throws: the log says what failed, and privileged actions are refused until it works. */
  async flush(): Promise<void> {
    await this.#flushing;
    this.#flushing = this.#write().finally(() => { this.#flushing = undefined; });
    await this.#flushing;
  }

  async #write(): Promise<void> {
    const { data, signer, clock } = this.#parts;
    const waited = this.#waiting.splice(0);
    const failedSince = this.#failedSince;
    const entries = [...waited, ...(this.#refusals?.take() ?? []), ...(failedSince === undefined ? [] : [resumed(failedSince, this.#lost)])];
    if (entries.length === 0) return;
    try {
      await data.write(async (tx) => { for (const entry of entries) await appendAudit(tx, signer, entry, clock()); });
      this.#failedSince = undefined;
      this.#lost = 0;
    } catch (error) {
      for (const entry of waited.toReversed()) if (this.#waiting.length < mostWaiting) this.#waiting.unshift(entry); else this.#lost += 1;
      if (!isRetryable(error)) this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    if (this.#failedSince === undefined) this.#parts.log.error({ err: error }, 'the audit log can not be written; privileged actions are refused');
    this.#failedSince ??= this.#parts.clock();
  }

  async #sign(): Promise<void> {
    const { data, signer, clock } = this.#parts;
    try {
      await data.write((tx) => checkpointAudit(tx, signer, clock()));
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Signs the head of the chain and stops. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.flush();
    await this.#sign();
  }
}

const resumed = (since: number, lost: number): AuditEntry => ({
  class: 'A', principal: 'weir', address: '', action: 'audit.resume', object: 'audit', decision: 'allowed', requestId: '',
  reason: `could not be written since ${toInstant(since)}${lost === 0 ? '' : `; ${lost} events of opened streams were lost`}`,
});

/** What runs from now on: the version, and a digest of the configuration that tells whether it is the one of before. Secrets do not count. */
export const startEntry = (config: Config): AuditEntry => ({
  class: 'A', principal: 'weir', address: '', action: 'server.start', object: 'server', decision: 'allowed', requestId: '',
  reason: `version ${version}, configuration sha256:${createHash('sha256').update(JSON.stringify(config, withoutSecrets)).digest('hex')}`,
});

const withoutSecrets = (key: string, value: unknown): unknown =>
  (typeof value !== 'string' ? value : /secret|password/.test(key) && !key.endsWith('_file') ? '' : value.replace(/\/\/[^/@]*@/, '//'));

/** The class A entry of an admitted change. */
export const changeEntry = <H extends Holding>(admission: Admission<H>, resource: Resource | string, requestId: string, detail = ''): AuditEntry => ({
  class: 'A', principal: admission.identity.principal ?? '', address: admission.address, action: admission.action,
  object: typeof resource === 'string' ? resource : objectName(resource), decision: 'allowed', reason: detail === '' ? admission.reason : detail, requestId,
});
