/** `weir admin security …`: the master keys, what is sealed under them, and principals that come from elsewhere. */
import { setTimeout as wait } from 'node:timers/promises';
import { newUlid } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import { moveEpochs } from '@weir/data/epochs';
import { countSealed, resealAll } from '@weir/data/security-stores/sealed-rows';
import { keysMoved } from '@weir/data/security-stores/signing-keys';
import type { Instance } from '@weir/server/instance';
import { addMasterKey, chooseMasterKey, removeMasterKey } from '@weir/server/master-key';
import { keyDirectory } from '@weir/server/places';
import { note, print, printJson, type Context } from '../context.ts';
import type { InstanceFlags } from '../flags.ts';
import { tableText } from '../terminal/table.ts';
import { liveLine } from '../terminal/progress.ts';
import { openForOperator, record } from './operator.ts';

type Common = InstanceFlags & Readonly<{ json?: boolean }>;
export type GenerateFlags = Common & Readonly<{ default?: boolean; quiet?: boolean }>;
export type ReEncryptFlags = Common & Readonly<{ keyId?: string; decrypt?: boolean }>;

/** Every node reads what moved well within this time; a node that can't admits nothing. */
const heardWithinMs = 1_500;

export async function generateKey(this: Context, flags: GenerateFlags, named?: string): Promise<void> {
  await using instance = await openForOperator(this, flags);
  const id = named ?? `master-${newUlid(instance.clock()).slice(0, 10).toLowerCase()}`;
  await addMasterKey(folderOf(this, instance), instance.id, id);
  await tell(instance, 'key.rotate', id, 'master key added');
  if (flags.default === true) await makeDefault(this, instance, id);
  if (flags.json === true) return printJson(this, { key_id: id, default: flags.default === true });
  print(this, id);
  if (flags.quiet !== true) note(this, `The key is in ${folderOf(this, instance)}; copy that file to your backup, and to the other nodes if there are any.\nSeal what is stored under it with: weir admin security re-encrypt --key-id ${id}`);
}

export async function listKeys(this: Context, flags: Common): Promise<void> {
  await using instance = await openForOperator(this, flags);
  const counts = await countSealed(instance.data.read);
  const items = instance.keyRing.keyIds.map((id) => ({ key_id: id, default: id === instance.keyRing.currentId, sealed_values: counts.get(id) ?? 0 }));
  if (flags.json === true) return printJson(this, { items });
  print(this, tableText(['KEY', 'SEALS NOW', 'OPENS'], items.map((item) => [item.key_id, item.default ? 'yes' : 'no', `${item.sealed_values} values`])));
}

export async function reEncrypt(this: Context, flags: ReEncryptFlags): Promise<void> {
  if (flags.decrypt === true) throw new WeirError('request.invalid', 'Weir never stores a key in plain, so there is nothing to decrypt to. To move data elsewhere, take the master key file with it.');
  await using instance = await openForOperator(this, flags);
  const { keyRing } = instance;
  if (flags.keyId !== undefined && flags.keyId !== keyRing.currentId) await makeDefault(this, instance, flags.keyId);
  const keyId = keyRing.currentId;
  let seen = 0;
  {
    using line = liveLine(this.process.stderr);
    // Whoever still had the old default when this began may have sealed something behind us: again, until nothing is left.
    for (let left = true; left;) {
      left = false;
      for await (const progress of resealAll(instance.data, keyRing)) {
        if (this.signal.aborted) throw new DOMException('interrupted', 'AbortError');
        line.show(`${progress.name}: ${progress.seen} seen, ${progress.resealed} sealed anew`);
        seen = progress.seen;
        left ||= progress.resealed > 0;
      }
    }
  }
  const counts = await countSealed(instance.data.read);
  const others = [...counts].filter(([id]) => id !== keyId).reduce((sum, [, count]) => sum + count, 0);
  await tell(instance, 'key.rotate', keyId, `${seen} stored keys are sealed under it`);
  if (flags.json === true) return printJson(this, { key_id: keyId, sealed_values: seen, under_other_keys: others });
  print(this, `${seen} stored keys are sealed under ${keyId}${others === 0 ? '' : `, ${others} under others; run it again`}.`);
}

export async function removeKey(this: Context, flags: Common, id: string): Promise<void> {
  await using instance = await openForOperator(this, flags);
  const count = (await countSealed(instance.data.read)).get(id) ?? 0;
  if (count > 0) throw new WeirError('request.conflict', `${count} stored keys open only with "${id}". First: weir admin security re-encrypt`);
  await removeMasterKey(folderOf(this, instance), instance.id, id);
  await tell(instance, 'key.rotate', id, 'master key removed');
  if (flags.json !== true) print(this, `${id} is gone. Backups of the database from before still need it.`);
}

/** Every node knows the key before anything is sealed under it, and seals under it before the old values are done. */
async function makeDefault(context: Context, instance: Instance, id: string): Promise<void> {
  if (!instance.keyRing.keyIds.includes(id)) await instance.reloadKeys();
  if (!instance.keyRing.keyIds.includes(id)) throw new WeirError('object.absent', `There is no master key "${id}". There are: ${instance.keyRing.keyIds.join(', ')}.`);
  await tell(instance, 'key.rotate', id, 'master key made the default');
  await wait(heardWithinMs, undefined, { signal: context.signal });
  await chooseMasterKey(folderOf(context, instance), instance.id, id);
  await instance.reloadKeys();
  await instance.data.write((tx) => moveEpochs(tx, [keysMoved]));
  await wait(heardWithinMs, undefined, { signal: context.signal });
}

const folderOf = ({ environment }: Context, { config }: Instance): string => keyDirectory(config, environment);

/** Audits the change and has every node read its keys again. */
async function tell(instance: Instance, action: string, id: string, reason: string): Promise<void> {
  await instance.data.write(async (tx) => {
    await record(tx, instance, action, `master-key:${id}`, reason);
    await moveEpochs(tx, [keysMoved]);
  });
}
