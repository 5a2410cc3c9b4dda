/** `weir admin keys …`: the signing keys, in the database of this machine, or through a server that is named. */
import { toInstant } from '@weir/contracts/identity';
import type { KeyPurpose, KeyRotated, SigningKey } from '@weir/contracts/keys';
import { keyState, listSigningKeys, rotateSigningKey } from '@weir/data/security-stores/key-rotation';
import * as keys from '@weir/sdk/keys';
import { connect, throughServer } from '../client/connection.ts';
import { note, print, printJson, type Context } from '../context.ts';
import type { ServerFlags } from '../flags.ts';
import { tableText } from '../terminal/table.ts';
import { openForOperator, record } from './operator.ts';

type Common = ServerFlags & Readonly<{ json?: boolean }>;
export type KeyRotateFlags = Common & Readonly<{ compromised?: boolean }>;
type Shown = Omit<SigningKey, 'purpose'> & Readonly<{ purpose: string }>;

export async function list(this: Context, flags: Common): Promise<void> {
  const items = await throughServer(this, flags) ? (await keys.list(await connect(this, flags), { signal: this.signal })).items : await stored(this, flags);
  if (flags.json === true) return printJson(this, { items });
  print(this, tableText(['KEY', 'PURPOSE', 'STATE', 'SINCE', 'VERIFIES UNTIL'], items.map((key) => [key.kid, key.purpose, key.state, key.created_at, key.verifies_until ?? '-'])));
}

async function stored(context: Context, flags: Common): Promise<readonly Shown[]> {
  await using instance = await openForOperator(context, flags);
  const instant = (ms: number | null): string | null => (ms === null ? null : toInstant(ms));
  return (await listSigningKeys(instance.data.read)).map((row) => ({
    kid: row.id, purpose: row.purpose, algorithm: row.algorithm, state: keyState(row, instance.clock()), created_at: toInstant(row.created_at),
    retired_at: instant(row.retired_at), verifies_until: instant(row.verifies_until),
  }));
}

export async function rotate(this: Context, flags: KeyRotateFlags, purpose: KeyPurpose): Promise<void> {
  const compromised = flags.compromised === true;
  const rotated = await throughServer(this, flags) ? await keys.rotate(await connect(this, flags), { purpose, compromised }, { signal: this.signal }) : await rotateHere(this, flags, purpose);
  if (flags.json === true) return printJson(this, rotated);
  print(this, rotated.kid);
  note(this, compromised ? `Everything that ${rotated.voided.length === 1 ? 'the older key' : `${rotated.voided.length} older keys`} signed is void, on every node within a second.${purpose === 'instance' ? ' Workers that joined by a link must join again.' : ''}`
    : `What the old key signed holds until ${rotated.verifies_until} at the latest.`);
}

async function rotateHere(context: Context, flags: KeyRotateFlags, purpose: KeyPurpose): Promise<KeyRotated> {
  await using instance = await openForOperator(context, flags);
  const compromised = flags.compromised === true;
  const rotation = await instance.data.write(async (tx) => {
    const rotated = await rotateSigningKey(tx, instance.keyRing, purpose, { now: instance.clock(), compromised });
    await record(tx, instance, 'key.rotate', `key:${rotated.id}`, compromised ? `${purpose}: all older keys void` : `${purpose}: replaced`);
    return rotated;
  });
  return { purpose, kid: rotation.id, verifies_until: toInstant(rotation.verifiesUntilMs), voided: [...rotation.voided] };
}
