/** The public keys of another issuer (a JWK Set, RFC 7517), read again in time, and kept for a while where that fails. */
import { systemClock, type Clock } from '@weir/contracts/clock';
import { importJWK, type CryptoKey, type JWK } from 'jose';
import { strongPublicKey, type PublicKeyAlgorithm } from './public-keys.ts';
import { asRecord, parseStrictJson } from './strict-json.ts';

/** The text of a JWK Set, and for how many seconds whoever gave it says that it holds. */
export type ReadKeySet = () => Promise<Readonly<{ text: string; maxAgeSeconds?: number | undefined }>>;

const minuteMs = 60_000;
/** A set is read again after what its server says, but within these bounds; `fallback` where it says nothing. */
const age = { least: minuteMs, most: 60 * minuteMs, fallback: 10 * minuteMs };
/** A failed reading is tried again, and an unknown key asked for, once in this time. */
const betweenReadingsMs = minuteMs;
/** As long as it never worked. */
const beforeFirstMs = 5_000;
/** How long a set is used that could not be read again. */
const staleMs = 60 * minuteMs;
const mostKeys = 100;
const maxSetLength = 262_144;
const keyIdPattern = /^[\x21-\x7e]{1,256}$/;

export class IssuerKeys {
  readonly #readSet: ReadKeySet;
  readonly #clock: Clock;
  readonly #onError: (error: unknown) => void;
  /** By the text of each JWK: a key that stays stays the same object, and so do tokens remembered under it. */
  #byText: ReadonlyMap<string, ImportedKey> = new Map();
  #byId: ReadonlyMap<string, ImportedKey> = new Map();
  #readAtMs = -Infinity;
  #triedAtMs = -Infinity;
  #nextMs = -Infinity;
  #reading: Promise<void> | undefined;

  constructor({ read, clock = systemClock, onError }: Readonly<{ read: ReadKeySet; clock?: Clock; onError: (error: unknown) => void }>) {
    this.#readSet = read;
    this.#clock = clock;
    this.#onError = onError;
  }

  /** The key of that id for exactly that algorithm, or undefined. The id is a name in the set and nothing else. */
  async find(keyId: string, algorithm: PublicKeyAlgorithm): Promise<CryptoKey | undefined> {
    if (!keyIdPattern.test(keyId)) return undefined;
    const name = `${algorithm} ${keyId}`;
    const isDue = this.#clock() >= this.#nextMs || !this.#byId.has(name);
    if (isDue) await this.#readAgain();
    return this.#isUsable ? this.#byId.get(name)?.key : undefined;
  }

  /** Whether a token verified under `key` may still be believed. */
  holds(key: CryptoKey): boolean {
    return this.#isUsable && this.#clock() < this.#nextMs && [...this.#byId.values()].some((known) => known.key === key);
  }

  get #isUsable(): boolean { return this.#clock() < Math.max(this.#nextMs, this.#readAtMs + staleMs); }

  async #readAgain(): Promise<void> {
    const pause = this.#readAtMs === -Infinity ? beforeFirstMs : betweenReadingsMs;
    if (this.#reading === undefined && this.#clock() < this.#triedAtMs + pause) return;
    await (this.#reading ??= this.#read().catch(this.#onError).finally(() => { this.#reading = undefined; }));
  }

  async #read(): Promise<void> {
    this.#triedAtMs = this.#clock();
    const { text, maxAgeSeconds } = await this.#readSet();
    const keys = await importSet(text, this.#byText);
    this.#byText = new Map(keys.map((key) => [key.text, key]));
    this.#byId = new Map(keys.map((key) => [`${key.algorithm} ${key.id}`, key]));
    this.#readAtMs = this.#clock();
    this.#nextMs = this.#readAtMs + Math.min(Math.max((maxAgeSeconds ?? age.fallback / 1_000) * 1_000, age.least), age.most);
  }
}

type ImportedKey = Readonly<{ id: string; algorithm: PublicKeyAlgorithm; key: CryptoKey; text: string }>;

/** Keys of a set that can verify; others (encryption, secrets, weak or unknown ones) are left out. A text that is no set is an error. */
async function importSet(text: string, known: ReadonlyMap<string, ImportedKey>): Promise<readonly ImportedKey[]> {
  const set = text.length > maxSetLength ? undefined : asRecord(parseStrictJson(text, 8));
  const list: unknown = set?.['keys'];
  if (!Array.isArray(list) || list.length > mostKeys) throw new TypeError('This is no JWK Set (RFC 7517) of at most 100 keys.');
  const imported: ImportedKey[] = [];
  for (const entry of list) {
    const read = publicKeyOf(asRecord(entry));
    if (read === undefined) continue;
    const name = JSON.stringify(read);
    const key = known.get(name)?.key ?? await importJWK(read.jwk, read.algorithm);
    // A secret would come as bytes; none is imported above.
    if (!(key instanceof Uint8Array) && !imported.some((other) => other.id === read.id && other.algorithm === read.algorithm)) {
      imported.push({ id: read.id, algorithm: read.algorithm, key, text: name });
    }
  }
  return imported;
}

type PublicKey = Readonly<{ id: string; algorithm: PublicKeyAlgorithm; jwk: JWK }>;

/** What a key says that it is for has to be this; each kind of key has one algorithm here. */
function publicKeyOf(jwk: Readonly<Record<string, unknown>> | undefined): PublicKey | undefined {
  const id = jwk?.['kid'];
  if (jwk === undefined || typeof id !== 'string' || !keyIdPattern.test(id)) return undefined;
  if (jwk['use'] !== undefined && jwk['use'] !== 'sig') return undefined;
  if (jwk['key_ops'] !== undefined && !(Array.isArray(jwk['key_ops']) && jwk['key_ops'].includes('verify'))) return undefined;
  const found = strongPublicKey(jwk);
  return found === undefined || (jwk['alg'] !== undefined && jwk['alg'] !== found.algorithm) ? undefined : { id, ...found };
}
