/** The keys of an application's streaming security: one secret, or a key ring, and a key of its own derived for every purpose. */
import { hkdfSync, type KeyObject } from 'node:crypto';
import { KeyRing } from './key-ring.ts';
import { Secret } from './secret.ts';
import { importTokenKey, sharedSecretKey, type TokenKey, type TokenKeys } from './token-keys.ts';

/** Where the secret of a configuration is set without writing it down there. */
export const secretKeySetting = 'WEIR_STREAMING_SECURITY__SECRET_KEY (or WEIR_STREAMING_SECURITY__SECRET_KEY_FILE)';

/** PKCS #8 of an Ed25519 key is this and 32 random bytes (RFC 8410 §7). */
const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The key that signs now, and all that verify. */
export type PurposeKeys = Readonly<{ signing: () => TokenKey; all: TokenKeys }>;

/** `config.invalid`, naming the setting, for a secret that is short, a placeholder or known to the public. */
export function keyRingOfSecret(secret: string): KeyRing {
  sharedSecretKey('secret', secret, secretKeySetting);
  const bytes = Buffer.from(hkdfSync('sha256', Buffer.from(secret, 'utf8'), Buffer.alloc(0), 'weir/streaming-security/secret-key/v1', 32));
  using master = new Secret(bytes);
  bytes.fill(0);
  return new KeyRing({ current: 'secret', keys: [{ id: 'secret', secret: master }] });
}

/** One key for each of the ring's, so that tokens outlive a rotation: HS256 where the secret is shared, otherwise Ed25519. */
export function tokenKeysOf(keyRing: KeyRing, purpose: 'access' | 'grant', algorithm: TokenKey['algorithm']): PurposeKeys {
  const make = (ringKey: string): TokenKey => {
    const id = `${purpose}-${ringKey}`;
    const derived = keyRing.derive(`streaming-${purpose}-token`, ringKey);
    return algorithm === 'HS256' ? { id, algorithm, secret: derived } : importTokenKey(id, Buffer.concat([pkcs8, derived.export()]));
  };
  const signing = make(keyRing.currentId);
  return { signing: () => signing, all: new Map(keyRing.keyIds.map(make).map((key) => [key.id, key])) };
}

/** The HMAC key of a key of the ring, or undefined if the ring has none of that name. */
export function hmacKeyOf(keyRing: KeyRing, ringKey: string): KeyObject | undefined {
  return keyRing.keyIds.includes(ringKey) ? keyRing.derive('streaming-hmac', ringKey) : undefined;
}
