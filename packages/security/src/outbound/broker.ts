/**
 * Every request that Weir makes to an address that somebody else chose goes through here: webhooks, scripts, nodes that fetch. The address
 * is decided where the connection is made, so that no name can lead elsewhere between the question and the answer.
 */
import { lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { WeirError } from '@weir/contracts/errors';
import { Agent, buildConnector, request as send } from 'undici';
import { canonicalAddress, peerAddress } from '../networks.ts';
import { RateLimits, type RateLimit } from '../rate-limits.ts';
import { Redactor } from '../redaction.ts';
import type { Secret } from '../secret.ts';
import { isPublicAddress } from './addresses.ts';
import { compileRule, matches, parseOutbound, type OutboundRule, type RuleText } from './rules.ts';

/** Bytes, milliseconds and numbers. `waiting`: requests that wait for one of the `concurrent`; beyond, they are refused. */
export type OutboundLimits = Readonly<{
  requestBytes: number; responseBytes: number; totalMs: number; connectMs: number; concurrent: number; waiting: number; rate: RateLimit;
}>;
export const defaultOutboundLimits: OutboundLimits = {
  requestBytes: 1 << 18, responseBytes: 1 << 20, totalMs: 10_000, connectMs: 5_000, concurrent: 16, waiting: 64, rate: { limit: 600, periodSeconds: 60 },
};

/** `secrets` are headers that are added last: nobody may set or read them, and their values are masked in whatever comes back. */
export type OutboundRequest = Readonly<{
  url: string; method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'; headers?: Readonly<Record<string, string>>; body?: string | Uint8Array;
  secrets?: Readonly<Record<string, string | Secret>>; signal?: AbortSignal;
}>;
export type OutboundReply = Readonly<{ status: number; headers: Readonly<Record<string, string>>; body: Buffer }>;

type Options = Readonly<{ rules: readonly RuleText[]; limits?: Partial<OutboundLimits>; lookup?: LookupFunction }>;
type Way = Readonly<{ rule: OutboundRule; agent: Agent }>;

/** What the connection decides, or what would let a request mean two things. */
const forbiddenHeader = /^(host|connection|content-length|transfer-encoding|te|trailer|upgrade|keep-alive|expect|via|forwarded|x-forwarded-.*|x-real-ip|proxy-.*|cookie2?|accept-encoding)$/i;

export class OutboundBroker implements AsyncDisposable {
  readonly #ways: readonly Way[];
  readonly #limits: OutboundLimits;
  readonly #rate: RateLimits<'outbound'>;
  #running = 0;
  /** In the order that they came. */
  readonly #waiting = new Set<() => void>();

  /** `config.invalid` for a rule or limit that is none. */
  constructor({ rules, limits, lookup = systemLookup }: Options) {
    this.#limits = { ...defaultOutboundLimits, ...limits };
    this.#rate = new RateLimits({ outbound: this.#limits.rate });
    // Connections are kept by rule: one that a rule allowed into its network must not carry a request of another rule.
    this.#ways = rules.map(compileRule).map((rule) => ({ rule, agent: this.#agent(rule, lookup) }));
  }

  /**
   * Sends one request and reads the whole reply. Errors: `outbound.refused` (no rule, an address that is not public, a redirect, a
   * forbidden header, too large a body), `outbound.failed` (no connection, no reply in time, a reply that is too large), `rate.exceeded`.
   * No redirect is followed: its target would be an address that nobody decided about.
   */
  async fetch(wanted: OutboundRequest): Promise<OutboundReply> {
    const url = parseOutbound(wanted.url);
    const way = this.#ways.find(({ rule }) => matches(rule, url));
    if (way === undefined) throw new WeirError('outbound.refused', `No rule allows ${url.protocol}//${url.host}.`);
    const redactor = new Redactor();
    const headers = headersOf(wanted, redactor);
    const body = typeof wanted.body === 'string' ? Buffer.from(wanted.body) : wanted.body;
    if ((body?.length ?? 0) > this.#limits.requestBytes) throw new WeirError('outbound.refused', `A request may have at most ${this.#limits.requestBytes} bytes.`);
    const verdict = this.#rate.take('outbound', '', performance.now());
    if (!verdict.allowed) throw new WeirError('rate.exceeded', `Too many requests to elsewhere; try again in ${verdict.retryAfterSeconds} s.`);

    const late = AbortSignal.timeout(this.#limits.totalMs);
    const signal = wanted.signal === undefined ? late : AbortSignal.any([wanted.signal, late]);
    try {
      await this.#turn(signal);
      try {
        return await this.#exchange(way.agent, url, { method: wanted.method ?? 'GET', headers, body, signal }, redactor);
      } finally {
        this.#leave();
      }
    } catch (error) {
      wanted.signal?.throwIfAborted();
      throw told(error, url.host, redactor, late.aborted ? this.#limits.totalMs : undefined);
    }
  }

  async #exchange(
    agent: Agent, url: URL, { method, headers, body, signal }: { method: NonNullable<OutboundRequest['method']>; headers: Record<string, string>; body: Uint8Array | undefined; signal: AbortSignal },
    redactor: Redactor,
  ): Promise<OutboundReply> {
    const reply = await send(url, { dispatcher: agent, method, headers, signal, body: body ?? null });
    if (reply.statusCode >= 300 && reply.statusCode < 400) {
      reply.body.on('error', () => undefined).destroy();
      throw new WeirError('outbound.refused', `${url.host} answered with a redirect (${reply.statusCode}), which is not followed. Name its target itself.`);
    }
    const pieces: Uint8Array[] = [];
    let size = 0;
    for await (const piece of reply.body as AsyncIterable<Uint8Array>) {
      size += piece.length;
      if (size > this.#limits.responseBytes) throw new WeirError('outbound.failed', `${url.host} answered with more than ${this.#limits.responseBytes} bytes.`);
      pieces.push(piece);
    }
    const received = Object.entries(reply.headers).map(([name, value]) => [name, redactor.values(String(value ?? ''))] as const);
    return { status: reply.statusCode, headers: Object.fromEntries(received), body: Buffer.from(redactor.values(Buffer.concat(pieces).toString('latin1')), 'latin1') };
  }

  /** Waits until fewer than the limit run; each that ends hands its place on. */
  async #turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#running < this.#limits.concurrent) { this.#running += 1; return; }
    if (this.#waiting.size >= this.#limits.waiting) throw new WeirError('rate.exceeded', 'Too many requests to elsewhere wait already; try again shortly.');
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    signal.addEventListener('abort', () => {
      this.#waiting.delete(resolve);
      reject(new Error('The request ended while it waited.'));
    });
    await promise;
  }

  #leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) { this.#running -= 1; return; }
    this.#waiting.delete(next);
    next();
  }

  #agent(rule: OutboundRule, lookup: LookupFunction): Agent {
    const { connectMs, totalMs, concurrent } = this.#limits;
    return new Agent({
      connect: connectorOf(rule, lookup, connectMs), connections: concurrent, pipelining: 1, allowH2: false, maxHeaderSize: 16_384,
      headersTimeout: totalMs, bodyTimeout: totalMs, keepAliveTimeout: 4_000, keepAliveMaxTimeout: 60_000,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#ways.map(({ agent }) => agent.destroy()));
  }
}

/** Public, or in a network that the rule names. */
function admits(rule: OutboundRule, canonical: string | undefined): boolean {
  return canonical !== undefined && (isPublicAddress(canonical) || rule.networks.contains(canonical));
}

const notPublic = (host: string): WeirError =>
  new WeirError('outbound.refused', `${host} lies at an address that is not public. If that is meant, name its network in the rule.`);

/** Three looks: at an address that stands in the URL, at what the name means now, and at whom the socket really met. */
function connectorOf(rule: OutboundRule, lookup: LookupFunction, timeout: number): buildConnector.connector {
  const filtered: LookupFunction = (hostname, options, callback) => lookup(hostname, { ...options, all: true }, (error, found) => {
    if (error !== null) { callback(error, []); return; }
    const good = Array.isArray(found) ? found.filter(({ address }) => admits(rule, canonicalAddress(address))) : [];
    callback(good.length === 0 ? notPublic(hostname) : null, good);
  });
  // Families are tried in turn whatever flags Node was started with: only then does it take a list of addresses.
  const connect = buildConnector({ allowH2: false, timeout, lookup: filtered, maxCachedSessions: 0, autoSelectFamily: true });
  return (options, callback) => {
    const literal = canonicalAddress(options.hostname);
    if (literal !== undefined && !admits(rule, literal)) { callback(notPublic(options.hostname), null); return; }
    connect(options, (error, socket) => {
      if (error !== null) { callback(error, null); return; }
      if (admits(rule, peerAddress(socket.remoteAddress))) { callback(null, socket); return; }
      socket.destroy();
      callback(notPublic(options.hostname), null);
    });
  };
}

function headersOf({ headers = {}, secrets = {} }: OutboundRequest, redactor: Redactor): Record<string, string> {
  const reserved = new Set(Object.keys(secrets).map((name) => name.toLowerCase()));
  const all: Record<string, string> = { 'user-agent': 'weir', 'accept-encoding': 'identity' };
  for (const [name, value] of Object.entries(headers)) {
    if (forbiddenHeader.test(name) || reserved.has(name.toLowerCase())) throw notSettable(name);
    all[name.toLowerCase()] = value;
  }
  for (const [name, secret] of Object.entries(secrets)) {
    if (forbiddenHeader.test(name)) throw notSettable(name);
    const value = typeof secret === 'string' ? secret : secret.reveal().toString('utf8');
    if (!redactor.register(value)) throw new WeirError('config.invalid', `The secret of the header ${quoted(name)} is too short to be kept out of replies; make it longer than five characters.`);
    // What follows a word like "Bearer " is the secret proper.
    redactor.register(value.slice(value.indexOf(' ') + 1));
    all[name.toLowerCase()] = value;
  }
  return all;
}

const quoted = (name: string): string => JSON.stringify(name.slice(0, 60));
const notSettable = (name: string): WeirError => new WeirError('outbound.refused', `The header ${quoted(name)} can not be set.`);

/** An error for the caller, without a secret in it; the error of the client is not its cause, for it may hold one. */
function told(error: unknown, host: string, redactor: Redactor, lateMs: number | undefined): WeirError {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof WeirError) return at;
  if (lateMs !== undefined) return new WeirError('outbound.failed', `${host} did not answer within ${lateMs / 1_000} s.`);
  const why = error instanceof Error && 'code' in error ? `${String(error.code)} ${error.message}` : String(error);
  return new WeirError('outbound.failed', `${host} did not answer: ${redactor.text(why).slice(0, 300)}`);
}
