/** `weir admin user link-identity` and `unlink-identity`: which subjects of other issuers a principal is. */
import { ExternalSubject } from '@weir/contracts/identity';
import { WeirError } from '@weir/contracts/errors';
import { linkExternal, unlinkExternal } from '@weir/data/security-stores/external-identities';
import { print, printJson, type Context } from '../context.ts';
import type { InstanceFlags } from '../flags.ts';
import { openForOperator, record } from './operator.ts';

export type IdentityFlags = InstanceFlags & Readonly<{ issuer: string; subject: string; json?: boolean }>;

export async function link(this: Context, flags: IdentityFlags, name: string): Promise<void> {
  const identity = identityOf(flags);
  await using instance = await openForOperator(this, flags);
  await instance.data.write(async (tx) => {
    await linkExternal(tx, identity, name, instance.clock());
    await record(tx, instance, 'user.write', `principal:${name}`, `linked to a subject of ${identity.issuer}`);
  });
  if (flags.json === true) return printJson(this, { principal: name, ...identity });
  print(this, `${name}: tokens of ${identity.issuer} for ${identity.subject} are this principal's, narrowed by the role that they are mapped to.`);
}

export async function unlink(this: Context, flags: IdentityFlags, name: string): Promise<void> {
  const identity = identityOf(flags);
  await using instance = await openForOperator(this, flags);
  await instance.data.write(async (tx) => {
    await unlinkExternal(tx, identity, name);
    await record(tx, instance, 'user.write', `principal:${name}`, `no longer linked to a subject of ${identity.issuer}`);
  });
  if (flags.json !== true) print(this, `${name}: tokens of ${identity.issuer} for ${identity.subject} are refused.`);
}

function identityOf({ issuer, subject }: IdentityFlags): ExternalSubject {
  const read = ExternalSubject.safeParse({ issuer, subject });
  if (!read.success) throw new WeirError('request.invalid', 'Name the issuer and the subject exactly as its tokens do (`iss` and `sub`).');
  return read.data;
}
