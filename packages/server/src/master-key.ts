/** The master key of a data directory: one file, named by the instance, outside the directory that it opens. */
import { access } from 'node:fs/promises';
import path from 'node:path';
import { WeirError } from '@weir/contracts/errors';
import { readPrivateFile, writePrivateFile } from '@weir/credentials/private-file';
import { KeyRing } from '@weir/security/key-ring';
import { newMasterKey, parseMasterKeys, printMasterKeys, type MasterKeys } from '@weir/security/master-keys';

const maxFileBytes = 16_384;
const fileOf = (directory: string, instanceId: string): string => path.join(directory, `${instanceId}.json`);

/** Makes the key of a new instance. An existing file is never overwritten. */
export async function createMasterKey(directory: string, instanceId: string): Promise<void> {
  const file = fileOf(directory, instanceId);
  if (await exists(file)) throw new WeirError('keys.wrong', `There is a master key at ${file} already; it was not overwritten.`);
  const key = newMasterKey('master-1');
  await writePrivateFile(file, Buffer.from(printMasterKeys({ current: key.id, keys: [key] })));
  key.secret.dispose();
}

/** The keys of the file; dispose their secrets. `keys.lost` says where the file should be; nothing is changed, so putting it back is all that is needed. */
export async function readMasterKeys(directory: string, instanceId: string): Promise<MasterKeys> {
  const file = fileOf(directory, instanceId);
  if (!await exists(file)) {
    throw new WeirError('keys.lost', `The master key of this data directory is not at ${file}. Put the file back (from a backup), or name its folder with [keys] directory; nothing was changed.`);
  }
  return parseMasterKeys(Buffer.from(await readPrivateFile(file, maxFileBytes)).toString('utf8'));
}

export async function openKeyRing(directory: string, instanceId: string): Promise<KeyRing> {
  const keys = await readMasterKeys(directory, instanceId);
  try {
    return new KeyRing(keys);
  } finally {
    disposeKeys(keys);
  }
}

/** Gives a ring the keys that the file holds now. */
export async function reloadKeyRing(keyRing: KeyRing, directory: string, instanceId: string): Promise<void> {
  const keys = await readMasterKeys(directory, instanceId);
  try {
    keyRing.replace(keys);
  } finally {
    disposeKeys(keys);
  }
}

function disposeKeys({ keys }: MasterKeys): void {
  for (const key of keys) key.secret.dispose();
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch {
    return false; // also where it can't be looked at: reading it then says why
  }
}
