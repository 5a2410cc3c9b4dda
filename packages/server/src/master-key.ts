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
async function readMasterKeys(directory: string, instanceId: string): Promise<MasterKeys> {
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

/** Adds a new key, which opens and does not seal yet. `request.conflict` when one of that name is there. */
export async function addMasterKey(directory: string, instanceId: string, id: string): Promise<void> {
  await changeMasterKeys(directory, instanceId, ({ current, keys }) => {
    if (keys.some((key) => key.id === id)) throw new WeirError('request.conflict', `There is a master key "${id}" already; choose another name.`);
    return { current, keys: [...keys, newMasterKey(id)] };
  });
}

/** Says which key seals from now on. `object.absent`. */
export async function chooseMasterKey(directory: string, instanceId: string, id: string): Promise<void> {
  await changeMasterKeys(directory, instanceId, ({ keys }) => {
    if (!keys.some((key) => key.id === id)) throw new WeirError('object.absent', `There is no master key "${id}". There are: ${keys.map((key) => key.id).join(', ')}.`);
    return { current: id, keys };
  });
}

/** Takes a key out. Whoever calls has seen that nothing is sealed under it. */
export async function removeMasterKey(directory: string, instanceId: string, id: string): Promise<void> {
  await changeMasterKeys(directory, instanceId, ({ current, keys }) => {
    if (!keys.some((key) => key.id === id)) throw new WeirError('object.absent', `There is no master key "${id}".`);
    if (id === current) throw new WeirError('request.conflict', `"${id}" seals what is stored now; make another the default first: weir admin security re-encrypt --key-id OTHER`);
    return { current, keys: keys.filter((key) => key.id !== id) };
  });
}

/** Read, changed, written as a whole: a reader sees the old file or the new one. */
async function changeMasterKeys(directory: string, instanceId: string, change: (keys: MasterKeys) => MasterKeys): Promise<void> {
  const before = await readMasterKeys(directory, instanceId);
  try {
    const after = change(before);
    await writePrivateFile(fileOf(directory, instanceId), Buffer.from(printMasterKeys(after)));
    disposeKeys(after);
  } finally {
    disposeKeys(before);
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
