/** A ring of named master keys: seals stored secrets under the current one, opens under any, and derives keys for other uses. */
import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, randomBytes, type KeyObject } from 'node:crypto';
import { WeirError } from '@weir/contracts/errors';
import type { MasterKeys } from './master-keys.ts';
import { lengthPrefixed } from './length-prefixed.ts';

const formatVersion = 1;
const nonceLength = 12;
const tagLength = 16;

/** What a sealed value says before its ciphertext: version (1) · length of the key id (1) · key id · nonce (12) · tag (16). */
type Envelope = Readonly<{ keyId: string; nonce: Uint8Array; tag: Uint8Array; ciphertext: Uint8Array }>;

type RingKey = Readonly<{ master: KeyObject; sealing: KeyObject; derived: Map<string, KeyObject> }>;

/**
 * The keys that open everything at rest. Sealing is AES-256-GCM with a random 96-bit nonce; the associated data binds the
 * value to its `purpose` (what kind of secret) and `subject` (whose), so that one row's value does not open in another row.
 * Master keys are used for HKDF only: sealing has its own key, and so has every derived purpose.
 */
export class KeyRing {
  #currentId = '';
  #keys: ReadonlyMap<string, RingKey> = new Map();

  /** Takes what it needs from `masterKeys`, whose secrets may be disposed afterwards. */
  constructor(masterKeys: MasterKeys) {
    this.replace(masterKeys);
  }

  /** Goes on with other keys, for whoever holds this ring: a key was added, another one seals now. */
  replace(masterKeys: MasterKeys): void {
    const keys = new Map(masterKeys.keys.map(({ id, secret }) => {
      const master = createSecretKey(secret.reveal());
      return [id, { master, sealing: subKey(master, 'seal', ''), derived: new Map<string, KeyObject>() }] as const;
    }));
    if (!keys.has(masterKeys.current)) throw unknownKey(masterKeys.current);
    this.#keys = keys;
    this.#currentId = masterKeys.current;
  }

  /** The key that seals. */
  get currentId(): string { return this.#currentId; }
  get keyIds(): readonly string[] { return [...this.#keys.keys()]; }

  /** `plaintext` sealed under the current key; 30 bytes and the key id longer. */
  seal(purpose: string, subject: string, plaintext: Uint8Array): Uint8Array {
    const nonce = randomBytes(nonceLength);
    const cipher = createCipheriv('aes-256-gcm', this.#key(this.currentId).sealing, nonce);
    cipher.setAAD(associatedData(purpose, subject));
    const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
    const id = Buffer.from(this.currentId);
    return Buffer.concat([Uint8Array.of(formatVersion, id.length), id, nonce, cipher.getAuthTag(), ciphertext]);
  }

  /** The plaintext, or `keys.wrong` if the key is not on the ring or the value was sealed for another purpose or subject, or was changed. */
  open(purpose: string, subject: string, sealed: Uint8Array): Buffer {
    const envelope = readEnvelope(sealed);
    const decipher = createDecipheriv('aes-256-gcm', this.#key(envelope.keyId).sealing, envelope.nonce, { authTagLength: tagLength });
    decipher.setAAD(associatedData(purpose, subject));
    decipher.setAuthTag(envelope.tag);
    const plaintext = decipher.update(envelope.ciphertext);
    try {
      decipher.final();
    } catch (cause) {
      throw new WeirError('keys.wrong', `A stored ${purpose} does not open: it was changed, or belongs to something else. Restore it from a backup.`, { cause });
    }
    return plaintext;
  }

  /** The same plaintext, sealed under the current key. */
  reseal(purpose: string, subject: string, sealed: Uint8Array): Uint8Array {
    const plaintext = this.open(purpose, subject, sealed);
    try {
      return this.seal(purpose, subject, plaintext);
    } finally {
      plaintext.fill(0);
    }
  }

  /**
   * A 32-byte key of its own for `purpose` (HKDF-SHA-256), one of the few that the program names: each is derived once and kept. Names made
   * with it last only as long as the key `keyId`.
   */
  derive(purpose: string, keyId: string = this.currentId): KeyObject {
    const { master, derived } = this.#key(keyId);
    const known = derived.get(purpose);
    if (known !== undefined) return known;
    const key = subKey(master, 'derive', purpose);
    derived.set(purpose, key);
    return key;
  }

  #key(id: string): RingKey {
    const key = this.#keys.get(id);
    if (key === undefined) throw unknownKey(id);
    return key;
  }
}

const unknownKey = (id: string): WeirError => new WeirError('keys.wrong', `The key ring has no key "${id}"; add it to the master key file again.`);

/** Id of the key that `sealed` was sealed under, without opening it: finds what a rotation has still to reseal. */
export function sealedUnder(sealed: Uint8Array): string {
  return readEnvelope(sealed).keyId;
}

function subKey(master: KeyObject, use: 'seal' | 'derive', purpose: string): KeyObject {
  // No salt: the master key is uniformly random already (RFC 5869 §3.1).
  const bytes = Buffer.from(hkdfSync('sha256', master, Buffer.alloc(0), lengthPrefixed('weir/key-ring/v1', use, purpose), 32));
  try {
    return createSecretKey(bytes);
  } finally {
    bytes.fill(0);
  }
}

function associatedData(purpose: string, subject: string): Buffer {
  return lengthPrefixed(Uint8Array.of(formatVersion), purpose, subject);
}

function readEnvelope(sealed: Uint8Array): Envelope {
  const [version, idLength = 0] = sealed;
  const nonceAt = 2 + idLength;
  const tagAt = nonceAt + nonceLength;
  const ciphertextAt = tagAt + tagLength;
  if (version !== formatVersion || sealed.length < ciphertextAt) {
    throw new WeirError('keys.wrong', 'A stored secret is not of a form that this version of Weir knows; restore it from a backup.');
  }
  return {
    keyId: Buffer.from(sealed.subarray(2, nonceAt)).toString('latin1'),
    nonce: sealed.subarray(nonceAt, tagAt),
    tag: sealed.subarray(tagAt, ciphertextAt),
    ciphertext: sealed.subarray(ciphertextAt),
  };
}
