/** Sends audit events to the webhooks of the configuration: each in order, signed, at least once, beside everything else that the server does. */
import { createHash, randomInt } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { readPrivateFile } from '@weir/credentials/private-file';
import type { AuditDelivery } from '@weir/contracts/audit';
import type { Clock } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import { toWireEvent, type AuditRow } from '@weir/data/audit-log';
import { advanceWebhook, claimWebhook, noteWebhookFailure, noteWebhookSuccess, registerWebhooks, releaseWebhook, undelivered } from '@weir/data/audit-webhooks';
import type { Data } from '@weir/data/data';
import type { OutboundBroker } from '@weir/security/outbound/broker';
import { contentDigest } from '@weir/security/request-signing/content-digest';
import { newNonce, signRequest, type MessageKey } from '@weir/security/request-signing/http-message';
import { sharedSecretKey, type TokenKey } from '@weir/security/token-keys';
import type { Logger } from 'pino';
import type { AuditTrail } from './audit-trail.ts';
import type { Config } from './config/schema.ts';
import { brokerTo } from './named-hosts.ts';

type Settings = Config['audit']['webhooks'][number];

const pollMs = 1_000;
const leaseMs = 180_000;
const batch = 100;
const firstWaitMs = 500;
const longestWaitMs = 60_000;
const dayMs = 86_400_000;
const maxSecretBytes = 4_096;

/** What a hook is remembered by: its address may hold a secret, so the name doesn't hold the address. */
export const webhookName = ({ url }: Settings): string => `webhook-${createHash('sha256').update(url).digest('hex').slice(0, 16)}`;

type Hook = Readonly<{ name: string; url: URL; wants: (action: string) => boolean; key: () => MessageKey; broker: OutboundBroker }>;
type Parts = Readonly<{
  data: Data; audit: AuditTrail; clock: Clock; log: Logger; instance: string; deadAfterDays: number;
  /** The audit key: its public half is in every export and verification, so a receiver can have it. */
  signingKey: () => TokenKey;
  /** Who delivers here, apart from other nodes. */
  node: string;
}>;

export class AuditWebhooks implements AsyncDisposable {
  readonly #parts: Parts;
  readonly #hooks: readonly Hook[];
  readonly #stopping = new AbortController();
  readonly #running: readonly Promise<void>[];

  constructor(parts: Parts, hooks: readonly Hook[]) {
    this.#parts = parts;
    this.#hooks = hooks;
    this.#running = hooks.map((hook) => this.#run(hook));
  }

  async #run(hook: Hook): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      let pauseMs = pollMs;
      try {
        pauseMs = await this.#deliver(hook);
      } catch (error) {
        if (!signal.aborted) this.#parts.log.error({ err: error, webhook: hook.url.host }, 'the audit events of a webhook could not be read');
      }
      await wait(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Sends what waits, up to a batch; returns how long to pause. */
  async #deliver(hook: Hook): Promise<number> {
    const { data, clock, node } = this.#parts;
    const { name } = hook;
    if (await undelivered(data.read, name, 1) === undefined) return pollMs;
    const now = clock();
    const state = await data.write((tx) => claimWebhook(tx, name, node, now, now + leaseMs));
    if (state === undefined || state.dead_at !== null) return pollMs;
    const waiting = await undelivered(data.read, name, batch);
    if (waiting === undefined) return pollMs;
    for (const row of waiting.rows) {
      if (!hook.wants(row.action)) continue;
      try {
        await this.#send(hook, row);
      } catch (error) {
        if (this.#stopping.signal.aborted) return 0;
        await this.#failed(hook, error);
        return backoffMs(state.failures);
      }
      await data.write(async (tx) => {
        await advanceWebhook(tx, name, row.writer, row.sequence, clock());
        await noteWebhookSuccess(tx, name, clock());
      });
      // A slow receiver uses the lease up: claim it anew before the next one.
      if (clock() - now > leaseMs / 3) return 0;
    }
    await data.write((tx) => advanceWebhook(tx, name, waiting.writer, waiting.upTo, clock()));
    return 0;
  }

  /** Throws unless the receiver takes it: any 2xx. */
  async #send({ url, key, broker }: Hook, row: AuditRow): Promise<void> {
    const { clock, instance } = this.#parts;
    const body = JSON.stringify({ instance, event: toWireEvent(row) } satisfies AuditDelivery);
    const headers = { 'content-type': 'application/json', 'content-digest': contentDigest(createHash('sha256').update(body).digest()), 'idempotency-key': row.id };
    const signature = signRequest({ method: 'POST', target: `${url.pathname}${url.search}`, headers }, key(), { instance, createdSeconds: Math.floor(clock() / 1_000), nonce: newNonce() });
    const reply = await broker.fetch({ url: url.href, method: 'POST', headers: { ...headers, ...signature }, body, signal: this.#stopping.signal });
    if (reply.status < 200 || reply.status > 299) throw new WeirError('outbound.failed', `${url.host} answered with ${reply.status}.`);
  }

  async #failed({ name, url }: Hook, error: unknown): Promise<void> {
    const { data, clock, log, deadAfterDays, audit } = this.#parts;
    const sentence = error instanceof WeirError ? error.message : 'the event could not be sent';
    const now = clock();
    const isDead = await data.write((tx) => noteWebhookFailure(tx, name, sentence, now, now - deadAfterDays * dayMs));
    if (!isDead) return;
    log.error({ webhook: url.host, reason: sentence }, 'a webhook is given up; the next start tries it again');
    audit.later({ class: 'A', principal: 'weir', address: '', action: 'audit.webhook_dead', object: `webhook:${url.host}`, decision: 'refused', reason: `failed for ${deadAfterDays} days: ${sentence}`, requestId: '' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort(new WeirError('server.stopping'));
    await Promise.all(this.#running);
    for (const { name, broker } of this.#hooks) {
      await this.#parts.data.write((tx) => releaseWebhook(tx, name, this.#parts.node));
      await broker[Symbol.asyncDispose]();
    }
  }
}

/** Doubled with each failure in a row, and random in its upper half, so that several hooks do not knock together. */
function backoffMs(failures: number): number {
  const longest = Math.min(longestWaitMs, firstWaitMs * 2 ** Math.min(failures, 20));
  return randomInt(Math.ceil(longest / 2), longest + 1);
}

/** Begins delivering. Errors: `config.invalid` for a weak secret or an address that is none, `file.permissions` for a secret that others can read. */
export async function openWebhooks(parts: Parts, settings: readonly Settings[]): Promise<AuditWebhooks> {
  const hooks: Hook[] = [];
  for (const each of settings) hooks.push(await openHook(each, parts));
  await parts.data.write((tx) => registerWebhooks(tx, hooks.map(({ name }) => name), parts.clock()));
  return new AuditWebhooks(parts, hooks);
}

async function openHook(settings: Settings, { signingKey }: Parts): Promise<Hook> {
  const url = new URL(settings.url);
  const name = webhookName(settings);
  const secret = settings.secret_file === undefined ? settings.secret : Buffer.from(await readPrivateFile(settings.secret_file, maxSecretBytes)).toString('utf8').trim();
  const shared = secret === undefined ? undefined : sharedSecretKey(name, secret, '[[audit.webhooks]] secret');
  return {
    name, url, wants: (action) => settings.events.some((event) => (event.endsWith('*') ? action.startsWith(event.slice(0, -1)) : action === event)),
    key: () => messageKey(shared ?? signingKey()),
    broker: brokerTo([settings.url], settings.allow_networks, { responseBytes: 65_536, concurrent: 1 }),
  };
}

const messageKey = (key: TokenKey): MessageKey =>
  (key.algorithm === 'HS256' ? { id: key.id, algorithm: 'hmac-sha256', secret: key.secret } : { ...key, algorithm: 'ed25519' });
