/**
 * Streaming security for any application: tokens, content policies, limits, encryption, signatures, origins, sockets, media frames and an
 * audit trail behind one object. A front of the rooms of this package, which the server of Weir uses directly; it decides nothing itself.
 */
import type { IncomingMessage } from 'node:http';
import { createHmac } from 'node:crypto';
import { systemClock } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import type { PolicyLevel } from '@weir/contracts/policies';
import { RefusalTally, type AuditEntry } from './audit.ts';
import { decodeBase64Url } from './base64.ts';
import { clientAddress } from './client-address.ts';
import { parseCid } from './content-id.ts';
import { Epochs } from './epochs.ts';
import { FrameSender, type FrameSuite } from './frame-encryption.ts';
import { EvidenceRefused } from './identity.ts';
import type { KeyRing } from './key-ring.ts';
import { memoryStores } from './memory-stores.ts';
import { compileNetworks, limitKey, peerAddress, type NetworkScope } from './networks.ts';
import { compileOrigins, originAllowed, type OriginRules } from './origins.ts';
import { defaultRateLimits, RateLimits, type RateVerdict } from './rate-limits.ts';
import { builtinRoles } from './roles.ts';
import { newEncryptionKey, openStream, sealStream, type EncryptionKey, type KeyBits } from './sealed-content.ts';
import { constantTimeEqual } from './secret.ts';
import { presentedToken } from './socket-evidence.ts';
import { StreamingAccess, type AccessDecision, type ContentKeyOrder, type ContentPolicy } from './streaming-access.ts';
import { hmacKeyOf, keyRingOfSecret, secretKeySetting, tokenKeysOf, type PurposeKeys } from './streaming-keys.ts';
import { limitsOf, optionsOfConfig, requireKnownOptions, type StreamingSecurityOptions } from './streaming-options.ts';
import type { StreamingStores } from './streaming-stores.ts';
import { StreamingTokens, type StreamingClaims, type TokenCheck, type TokenOrder } from './streaming-tokens.ts';
import { WatchedRights } from './watched-rights.ts';

export type StreamingOffer = Readonly<{
  cid: string; level: PolicyLevel;
  /** What the viewer opens frames with (SFrame); only for content of level `encrypted`. */
  frames?: Readonly<{ suite: FrameSuite; keyId: string; baseKey: string }>;
}>;
/** A canonical address, where the caller's is known; policies and principals that name networks admit nobody without one. */
type Where = Readonly<{ address?: string | undefined }>;
type Caller = Where & Readonly<{ claims?: StreamingClaims | undefined }>;
type Sealing = Readonly<{ key?: EncryptionKey; context?: string }>;
export type Authenticated = Readonly<{ claims: StreamingClaims | undefined; address: string }>;
type Request = Pick<IncomingMessage, 'headers' | 'socket' | 'url'> & Partial<Pick<IncomingMessage, 'headersDistinct'>>;

const mostFrameSenders = 1_000;
const refusalsEveryMs = 1_000;

export class StreamingSecurityManager implements AsyncDisposable {
  readonly enabled: boolean;
  readonly stores: StreamingStores;
  readonly #options: StreamingSecurityOptions;
  readonly #keyRing: KeyRing;
  readonly #tokens: StreamingTokens;
  readonly #access: StreamingAccess;
  readonly #limits: RateLimits<string>;
  readonly #limitNames: ReadonlySet<string>;
  readonly #origins: readonly OriginRules[];
  readonly #proxies: NetworkScope;
  readonly #epochs: Epochs;
  readonly #watched: WatchedRights;
  readonly #refusals = new RefusalTally();
  readonly #senders = new Map<string, FrameSender>();
  /** How often keys of frames were ended, of one content or of all. */
  #keyEnds = 0;
  readonly #onError: (error: unknown) => void;
  #frameKeys = 0n;
  #flush: NodeJS.Timeout | undefined;
  #written: Promise<void> = Promise.resolve();

  /** `config.invalid` names what is refused: a weak key, `*` as an origin, a limit out of bounds, 192-bit keys. */
  constructor(options: StreamingSecurityOptions) {
    requireKnownOptions(options);
    const { secretKey, keyRing, issuer = 'weir-streaming', clock = systemClock, roles = builtinRoles, encryption, ownOrigins: own } = options;
    if ((secretKey === undefined) === (keyRing === undefined)) throw new WeirError('config.invalid', `Give either a secret key or a key ring. A secret key is best kept in ${secretKeySetting}.`);
    if (encryption?.defaultKeyBits !== undefined) requireBits(encryption.defaultKeyBits);
    this.enabled = options.enabled ?? true;
    this.#options = options;
    this.#onError = options.onError ?? ((error) => process.emitWarning(`The audit trail of refusals was not written: ${String(error)}`, 'WeirStreamingSecurity'));
    this.#keyRing = keyRing ?? keyRingOfSecret(secretKey ?? '');
    this.stores = { ...memoryStores(clock), ...options.stores };
    const { stores } = this;
    const algorithm = keyRing === undefined ? 'HS256' : 'EdDSA';
    const keysOf = (purpose: 'access' | 'grant'): PurposeKeys => options.tokenKeys?.[purpose] ?? tokenKeysOf(this.#keyRing, purpose, algorithm);
    this.#epochs = new Epochs(stores.epochs);
    this.#watched = new WatchedRights(this.#epochs, clock);
    this.#tokens = new StreamingTokens({ stores, keys: keysOf('access'), roles, issuer, expirySeconds: options.tokenExpirySeconds ?? 3_600, clock });
    this.#access = new StreamingAccess({ stores, tokens: this.#tokens, keys: keysOf('grant'), issuer, clock, watched: this.#watched });
    const limits = { ...defaultRateLimits, ...limitsOf(options.rateLimits) };
    this.#limits = new RateLimits(limits);
    this.#limitNames = new Set(Object.keys(limits));
    this.#origins = [own !== undefined && 'allows' in own ? own : compileOrigins(own ?? []), compileOrigins(options.allowedOrigins ?? [])];
    this.#proxies = compileNetworks(options.trustedProxies ?? []);
  }

  /** A manager of a configuration as it stands: `{ streaming_security: { secret_key, … }, api? }`; the environment wins over it. */
  static fromSeedConfig(config: unknown, more: StreamingSecurityOptions = {}): StreamingSecurityManager {
    return new StreamingSecurityManager({ ...optionsOfConfig(config), ...more });
  }

  /** A token for a user; an hour long unless something else is asked or configured. `role.exceeds` for more than its key or its user may carry, `role.unknown`, `principal.absent`. */
  createToken(order: TokenOrder): Promise<string> { return this.#tokens.create(order); }

  /** Never throws for a bad token, whatever it is. */
  verifyToken(token: string, { address }: Where = {}): Promise<TokenCheck> { return this.#tokens.verify(token, address); }

  /** Ends one token everywhere, and what is open with it. Takes the token or its id; `request.invalid` for a token of somebody else. */
  revokeToken(tokenOrJti: string): Promise<void> { return this.#revoke(this.#tokens.revoke(tokenOrJti)); }

  /** Ends every token that a user has now, and what is open with them. New ones work at once. */
  revokeAllUserTokens(userId: string): Promise<void> { return this.#revoke(this.#tokens.endAll(userId)); }

  /** Says who may use a content, whatever spelling of its id anybody uses. Running streams are decided anew. `content.id`, `request.invalid`. */
  async setContentPolicy(cid: string, policy: ContentPolicy): Promise<void> {
    const { digest } = parseCid(cid);
    await this.#access.setPolicy(digest, policy);
    this.#endKey(digest);
    await this.#epochs.refresh();
  }

  /** Without a policy nobody is admitted. The token is asked about again each time, so claims of a revoked one admit nothing. `content.id`. */
  async checkContentAccess(cid: string, claims: StreamingClaims | undefined, { address }: Where = {}): Promise<AccessDecision> {
    const { digest } = parseCid(cid);
    const decision = await this.#access.decide(digest, { claims, address });
    if (!decision.allowed) this.#count('content.read', decision.reason, { claims, address }, `content:${digest}`);
    if (decision.reason === 'read_any_content') await this.logStreamingAccess({ cid, claims, address, accessType: 'content.read_any' });
    return decision;
  }

  /** A signed right to read one content until it expires, for its holder or for `userId` alone: a grant. `object.absent` without a policy. */
  generateContentKey(cid: string, order: ContentKeyOrder = {}): Promise<string> { return this.#access.createKey(parseCid(cid).digest, order); }

  /** Whether this key opens this content, here and for this caller. Counts one use where uses are counted. */
  verifyContentKey(key: string, cid: string, caller: Caller = {}): Promise<AccessDecision> { return this.#access.verifyKey(key, parseCid(cid).digest, caller); }

  revokeContentKey(key: string): Promise<void> { return this.#revoke(this.#access.revokeKey(key)); }

  /** Whether a limit of this name is configured: for whoever takes a name now and counts by it later. */
  hasRateLimit(action: string): boolean { return this.#limitNames.has(action); }

  /** Counts one use. `config.invalid` for a name that nobody configured: it would silently count as something else. */
  checkRateLimit(clientId: string, action = 'default'): RateVerdict {
    if (!this.#limitNames.has(action)) throw new WeirError('config.invalid', `There is no rate limit "${action}"; add rateLimits.${action}, or use one of: ${[...this.#limitNames].join(', ')}.`);
    return this.#limits.take(action, clientId, performance.now());
  }

  /**
   * A data key, wrapped under the key ring: worth nothing without it, so it may be kept anywhere. What a `detached` one seals does not carry
   * it: one for each user, deleted with the user, erases all that the user kept.
   */
  generateEncryptionKey({ bits = this.#options.encryption?.defaultKeyBits ?? 256, detached = false }: Readonly<{ bits?: KeyBits; detached?: boolean }> = {}): EncryptionKey {
    return newEncryptionKey(this.#keyRing, requireBits(bits), detached);
  }

  /** Seals bytes or a stream under `key`, or a fresh one; what comes out carries the wrapped key, unless it is a detached one. `context` must be given again to open it. */
  encryptContent(content: Uint8Array, options?: Sealing): Promise<Buffer>;
  encryptContent(content: AsyncIterable<Uint8Array>, options?: Sealing): AsyncIterable<Buffer>;
  encryptContent(content: Uint8Array | AsyncIterable<Uint8Array>, { key = this.generateEncryptionKey(), context = '' }: Sealing = {}): Promise<Buffer> | AsyncIterable<Buffer> {
    if (this.#options.encryption?.enabled === false) throw new WeirError('config.invalid', 'Encryption is switched off (encryption.enabled = false); plaintext is never passed on in its place.');
    return content instanceof Uint8Array ? collect(sealStream(this.#keyRing, key, context, once(content))) : sealStream(this.#keyRing, key, context, content);
  }

  /** Opens what `encryptContent` made. `content.damaged`, `keys.wrong`; of a stream, every piece is authentic before it comes. */
  decryptContent(content: Uint8Array, options?: Sealing): Promise<Buffer>;
  decryptContent(content: AsyncIterable<Uint8Array>, options?: Sealing): AsyncIterable<Buffer>;
  decryptContent(content: Uint8Array | AsyncIterable<Uint8Array>, { key, context = '' }: Sealing = {}): Promise<Buffer> | AsyncIterable<Buffer> {
    return content instanceof Uint8Array ? collect(openStream(this.#keyRing, key, context, once(content))) : openStream(this.#keyRing, key, context, content);
  }

  /** `<key id>.<HMAC-SHA256 in base64url>`, under a key that does nothing else. */
  createHmacSignature(message: string | Uint8Array): string {
    const id = this.#keyRing.currentId;
    return `${id}.${createHmac('sha256', this.#keyRing.derive('streaming-hmac', id)).update(message).digest('base64url')}`;
  }

  verifyHmacSignature(message: string | Uint8Array, signature: string): boolean {
    const [id = '', mac = '', ...rest] = signature.length > 256 ? [] : signature.split('.');
    const key = hmacKeyOf(this.#keyRing, id);
    const presented = decodeBase64Url(mac);
    return rest.length === 0 && key !== undefined && presented !== undefined && constantTimeEqual(presented, createHmac('sha256', key).update(message).digest());
  }

  /** Whether a page of this origin may act here. Programs send none, which is fine unless the evidence is a cookie. */
  checkOrigin(origin: string | undefined, evidence: 'token' | 'cookie' = 'token'): boolean {
    return origin === undefined ? evidence === 'token' : originAllowed(origin, ...this.#origins);
  }

  /**
   * Who a request comes from, and from where; no claims where it brings no token. `acts` for whatever is more than reading: its Origin
   * counts. Failures count against the address and never against a good token. `origin.refused`, `identity.required`, `rate.exceeded`.
   */
  async authenticate(request: Request, { acts }: Readonly<{ acts: boolean }>): Promise<Authenticated> {
    const address = this.#addressOf(request);
    const { origin } = request.headers;
    try {
      if (acts && !this.checkOrigin(origin)) throw new WeirError('origin.refused');
      const presented = presentedToken(request, this.#options);
      if (presented === undefined) return { claims: undefined, address };
      if (acts && presented.from === 'cookie' && !this.checkOrigin(origin, 'cookie')) throw new WeirError('origin.refused');
      const verdict = await this.verifyToken(presented.token, { address });
      if (verdict.valid) return { claims: verdict.claims, address };
      throw new EvidenceRefused(`token ${verdict.reason}`);
    } catch (error) {
      if (error instanceof EvidenceRefused) throw this.#failed(error.reason, address);
      if (error instanceof WeirError) this.#count('request', error.code, { address });
      throw error;
    }
  }

  /** Who opens a WebSocket. Origin, token and the `signaling` limit are asked of everybody; without a token nobody comes in. */
  async authenticateWebSocket(upgrade: Request): Promise<Readonly<{ claims: StreamingClaims; address: string }>> {
    const { claims, address } = await this.authenticate(upgrade, { acts: true });
    if (claims === undefined) throw this.#failed('no token', address);
    if (this.checkRateLimit(claims.userId, 'signaling').allowed) return { claims, address };
    this.#count('socket', 'rate limit', { claims, address });
    throw new WeirError('rate.exceeded');
  }

  /** Tells once that a right has ended on which something open depends: the token, and with `cid` the right to that content. Dispose it when what was open closes. */
  watch(claims: StreamingClaims | undefined, onEnd: (reason: string) => void, { cid, address }: Where & Readonly<{ cid?: string }> = {}): Disposable {
    const digest = cid === undefined ? undefined : parseCid(cid).digest;
    return this.#access.watch(claims, address, digest, (reason) => {
      // Whoever watched knows the key of the frames.
      if (digest !== undefined) this.#endKey(digest);
      onEnd(reason);
    });
  }

  /** What a viewer needs to receive a stream, if it may: `policy.refused`, `rate.exceeded`. */
  async secureStreamingOffer(cid: string, claims: StreamingClaims | undefined, { address }: Where = {}): Promise<StreamingOffer> {
    const content = parseCid(cid);
    const keyEnds = this.#keyEnds;
    const { allowed, level } = await this.checkContentAccess(cid, claims, { address });
    if (!allowed || level === undefined) throw new WeirError('policy.refused');
    // Whoever lost the right while it was asked about must not have the key that was made because of that.
    if (keyEnds !== this.#keyEnds) return this.secureStreamingOffer(cid, claims, { address });
    if (!this.checkRateLimit(claims?.userId ?? limitKey(address ?? '::'), 'streaming').allowed) throw new WeirError('rate.exceeded');
    if (level !== 'encrypted') return { cid: content.cid, level };
    const { suite, keyId, baseKey } = this.#senderOf(content.digest);
    return { cid: content.cid, level, frames: { suite, keyId: String(keyId), baseKey: baseKey.toString('base64url') } };
  }

  /** One media frame, sealed for the viewers of a content (SFrame, RFC 9605). After every revocation and change of a policy there is a new key, for a new offer. */
  secureFrame({ cid, data, metadata }: Readonly<{ cid: string; data: Uint8Array; metadata?: Uint8Array }>): Buffer {
    return this.#senderOf(parseCid(cid).digest).seal(data, metadata);
  }

  /** One event of the audit chain, for one stream that was opened. */
  async logStreamingAccess({ cid, claims, accessType, address = '', reason = 'allowed', requestId = '' }: Caller & Readonly<{
    cid: string; accessType: string; reason?: string; requestId?: string;
  }>): Promise<void> {
    await this.stores.audit.append({ class: 'B', principal: claims?.userId ?? '', address, action: accessType, object: `content:${parseCid(cid).digest}`, decision: 'allowed', reason, requestId });
  }

  /** Writes what is still to be written and stops watching. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#watched[Symbol.dispose]();
    await this.#writeRefusals();
  }

  async #revoke(done: Promise<void>): Promise<void> {
    await done;
    this.#keyEnds += 1;
    this.#senders.clear();
    await this.#epochs.refresh();
  }

  #addressOf({ headers, socket }: Request): string {
    const peer = peerAddress(socket.remoteAddress);
    if (peer === undefined) throw new WeirError('request.invalid', 'The connection has no address.');
    return clientAddress(peer, headers['x-forwarded-for'], { proxies: this.#proxies, directUse: 'allowed' });
  }

  #endKey(digest: string): void {
    this.#keyEnds += 1;
    this.#senders.delete(digest);
  }

  #senderOf(digest: string): FrameSender {
    const known = this.#senders.get(digest);
    if (known !== undefined) return known;
    if (this.#senders.size >= mostFrameSenders) this.#senders.delete(this.#senders.keys().next().value ?? digest);
    const sender = new FrameSender(this.#frameKeys += 1n);
    this.#senders.set(digest, sender);
    return sender;
  }

  /** Counts failed evidence; too much of it from one place is answered with 429 instead of 401. */
  #failed(reason: string, address: string): WeirError {
    this.#count('request', reason, { address });
    return new WeirError(this.checkRateLimit(limitKey(address), 'auth_failures').allowed ? 'identity.required' : 'rate.exceeded');
  }

  /** Refusals that are alike become one event a second, so that a flood of them can't push others out. */
  #count(action: string, reason: string, { claims, address }: Caller, object = ''): void {
    this.#refusals.add({
      class: 'C', principal: claims?.userId ?? '', address: address === undefined ? '' : limitKey(address), action, object, decision: 'refused', reason, requestId: '',
    });
    this.#flush ??= setTimeout(() => void this.#writeRefusals(), refusalsEveryMs).unref();
  }

  async #writeRefusals(): Promise<void> {
    clearTimeout(this.#flush);
    this.#flush = undefined;
    const entries = this.#refusals.take();
    // One after another, so that whoever waits for the last waits for all.
    this.#written = this.#written.then(() => this.#append(entries));
    await this.#written;
  }

  async #append(entries: readonly AuditEntry[]): Promise<void> {
    try {
      for (const entry of entries) await this.stores.audit.append(entry);
    } catch (error) {
      this.#onError(error);
    }
  }
}

function requireBits(bits: KeyBits): KeyBits {
  const allowed: readonly number[] = [128, 256];
  if (!allowed.includes(bits)) throw new WeirError('config.invalid', 'A content key has 256 or 128 bits (encryption.default_key_bits).');
  return bits;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> { yield bytes; }

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}
