/** The keys that sign tokens, assignments and audit checkpoints: opened from the database, where they are sealed, and again when they moved. */
import { newUlid } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import { KeyPurpose } from '@weir/contracts/keys';
import type { KeyRing } from '@weir/security/key-ring';
import { exportTokenKey, importTokenKey, newTokenKey, publicJwk, type TokenKey } from '@weir/security/token-keys';
import type { Selectable } from 'kysely';
import type { Data } from '../data.ts';
import type { Database, Schema, Tx } from '../schema.ts';

export type SigningKeyRow = Selectable<Schema['signing_key']>;

/** The key that signs now, and all that verify: it, and the retired ones whose tokens have not all ended. Both change while a server runs. */
export interface PurposeKeys {
  readonly signing: TokenKey;
  readonly all: ReadonlyMap<string, TokenKey>;
}

/** Key ids of this epoch subject are void from that moment on. */
export const voidKey = 'key:';
/** The epoch subject of every change of signing keys and of the key ring. */
export const keysMoved = 'keys';

/** All purposes of one process. The maps stay the same objects, so that whoever verifies with them sees what moved. */
export class SigningKeys implements AsyncDisposable {
  readonly access = new ChangingKeys();
  readonly grant = new ChangingKeys();
  readonly job = new ChangingKeys();
  readonly ticket = new ChangingKeys();
  readonly playlist = new ChangingKeys();
  readonly instance = new ChangingKeys();
  readonly audit = new ChangingKeys();
  readonly #db: Database;
  readonly #keyRing: KeyRing;
  #reading: Promise<void> = Promise.resolve();

  constructor(db: Database, keyRing: KeyRing) {
    this.#db = db;
    this.#keyRing = keyRing;
  }

  /** Reads what is stored now. Nothing changes when that fails. `keys.wrong`, `keys.lost`. */
  reload(now: number): Promise<void> {
    const next = this.#reading.catch(() => undefined).then(() => this.#read(now));
    this.#reading = next;
    return next;
  }

  async #read(now: number): Promise<void> {
    const rows = await this.#db.selectFrom('signing_key').selectAll().where((row) => row.or([row('verifies_until', 'is', null), row('verifies_until', '>', now)]))
      .orderBy('created_at', 'desc').orderBy('id', 'desc').execute();
    const opened = KeyPurpose.options.map((purpose) => [purpose, this.#open(purpose, rows.filter((row) => row.purpose === purpose))] as const);
    for (const [purpose, keys] of opened) this[purpose].replace(keys);
  }

  #open(purpose: KeyPurpose, rows: readonly SigningKeyRow[]): OpenKeys {
    const known = this[purpose].all;
    // A key that is known already stays the same object: what was verified under it stays remembered.
    const keys = rows.map((row) => known.get(row.id) ?? importTokenKey(row.id, this.#keyRing.open('signing-key', row.id, row.secret)));
    const signing = keys[rows.findIndex((row) => row.retired_at === null)];
    if (signing === undefined) throw new WeirError('keys.lost', `There is no signing key for ${purpose}; restore the database from a backup.`);
    return { signing, keys };
  }

  /** Verifies nothing under this key any more, without waiting for the database. */
  forget(id: string): void {
    for (const purpose of KeyPurpose.options) this[purpose].forget(id);
  }

  /** Waits for a reading that runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reading.catch(() => undefined);
  }
}

type OpenKeys = Readonly<{ signing: TokenKey; keys: readonly TokenKey[] }>;

class ChangingKeys implements PurposeKeys {
  readonly #all = new Map<string, TokenKey>();
  #signing: TokenKey | undefined;

  get signing(): TokenKey {
    if (this.#signing === undefined) throw new WeirError('keys.lost', 'The signing key was withdrawn and the new one is not read yet; try again in a second.');
    return this.#signing;
  }

  get all(): ReadonlyMap<string, TokenKey> { return this.#all; }

  replace({ signing, keys }: OpenKeys): void {
    this.#signing = signing;
    this.#all.clear();
    for (const key of keys) this.#all.set(key.id, key);
  }

  forget(id: string): void {
    this.#all.delete(id);
    if (this.#signing?.id === id) this.#signing = undefined;
  }
}

/** Makes the missing keys and opens all. `keys.wrong` when the key ring does not open them. */
export async function openSigningKeys(data: Data, keyRing: KeyRing, now: number): Promise<SigningKeys> {
  await data.write(async (tx) => {
    for (const purpose of KeyPurpose.options) {
      const existing = await tx.selectFrom('signing_key').select('id').where('purpose', '=', purpose).limit(1).executeTakeFirst();
      if (existing === undefined) await addSigningKey(tx, keyRing, purpose, now);
    }
  });
  const keys = new SigningKeys(data.read, keyRing);
  await keys.reload(now);
  return keys;
}

/** A new key that signs; returns its id. */
export async function addSigningKey(tx: Tx, keyRing: KeyRing, purpose: KeyPurpose, now: number): Promise<string> {
  const key = newTokenKey(`${purpose}-${newUlid(now).toLowerCase()}`);
  await tx.insertInto('signing_key').values({
    id: key.id, purpose, algorithm: key.algorithm, secret: keyRing.seal('signing-key', key.id, exportTokenKey(key)),
    public_key: publicJwk(key)?.['x'] ?? '', created_at: now, retired_at: null, verifies_until: null,
  }).execute();
  return key.id;
}
