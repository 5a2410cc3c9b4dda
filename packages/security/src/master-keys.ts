/** The master key file: making, reading and writing the keys that a key ring is built from. */
import { randomBytes } from 'node:crypto';
import { WeirError } from '@weir/contracts/errors';
import { decodeBase64 } from './base64.ts';
import { Secret } from './secret.ts';
import { asRecord, parseStrictJson } from './strict-json.ts';

/** 32 random bytes under a name of `[a-z0-9-]{1,32}`. */
export type MasterKey = Readonly<{ id: string; secret: Secret }>;
/** One to 32 keys of different names; `current` names the one that seals. */
export type MasterKeys = Readonly<{ current: string; keys: readonly MasterKey[] }>;

const keyLength = 32;
const maxKeys = 32;
const maxFileLength = 16_384;
const keyIdPattern = /^[a-z0-9-]{1,32}$/;

export function newMasterKey(id: string): MasterKey {
  if (!keyIdPattern.test(id)) throw new WeirError('request.invalid', `A master key is named with a-z, 0-9 and "-", at most 32 characters.`);
  const bytes = randomBytes(keyLength);
  const secret = new Secret(bytes);
  bytes.fill(0);
  return { id, secret };
}

/** File text: `{ "version": 1, "current": ID, "keys": [{ "id": ID, "key": base64 of 32 bytes }] }`. It is secret; write it with mode 0600. */
export function printMasterKeys({ current, keys }: MasterKeys): string {
  const file = { version: 1, current, keys: keys.map(({ id, secret }) => ({ id, key: secret.reveal().toString('base64') })) };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** Keys of a master key file. Anything but exactly that form is `config.invalid`; the message never repeats what the file says. */
export function parseMasterKeys(text: string): MasterKeys {
  if (text.length > maxFileLength) throw refused('it is longer than 16 KiB');
  const file = exactMembers(parseStrictJson(text), ['version', 'current', 'keys']);
  if (file === undefined) throw refused('it needs exactly "version", "current" and "keys", each once');
  const { version, current, keys: list } = file;
  if (version !== 1) throw refused('its version is not 1');
  if (!Array.isArray(list) || list.length === 0 || list.length > maxKeys) throw refused('it needs 1 to 32 keys');
  const keys = list.map(parseKey);
  if (new Set(keys.map(({ id }) => id)).size !== keys.length) throw refused('two keys have the same id');
  const sealing = keys.find(({ id }) => id === current);
  if (sealing === undefined) throw refused('"current" names none of its keys');
  return { current: sealing.id, keys };
}

function parseKey(value: unknown): MasterKey {
  const entry = exactMembers(value, ['id', 'key']);
  if (entry === undefined || typeof entry['id'] !== 'string' || typeof entry['key'] !== 'string') throw refused('a key needs exactly "id" and "key"');
  if (!keyIdPattern.test(entry['id'])) throw refused('a key is named with a-z, 0-9 and "-", at most 32');
  const bytes = decodeBase64(entry['key']);
  if (bytes?.length !== keyLength) throw refused('a key is not the base64 of 32 bytes');
  const secret = new Secret(bytes);
  bytes.fill(0);
  return { id: entry['id'], secret };
}

function exactMembers(value: unknown, names: readonly string[]): Readonly<Record<string, unknown>> | undefined {
  const record = asRecord(value);
  if (record === undefined || Object.keys(record).length !== names.length) return undefined;
  return names.every((name) => Object.hasOwn(record, name)) ? record : undefined;
}

function refused(reason: string): WeirError {
  return new WeirError('config.invalid', `The master key file is refused: ${reason}. Restore it from a backup.`);
}
