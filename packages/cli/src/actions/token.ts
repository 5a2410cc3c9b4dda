/** `weir token …`: access tokens, made on the server's machine, listed and revoked through the server. */
import { WeirError } from '@weir/contracts/errors';
import { toInstant } from '@weir/contracts/identity';
import { addPrincipal, getPrincipal } from '@weir/data/security-stores/principals';
import { readStrings, type SharedHolding } from '@weir/data/security-stores/identity-store';
import { holdingsToShare, issueToken } from '@weir/data/security-stores/tokens';
import type { Tx } from '@weir/data/schema';
import type { Role } from '@weir/security/roles';
import * as auth from '@weir/sdk/auth';
import * as tokens from '@weir/sdk/tokens';
import type { Instance } from '@weir/server/instance';
import { print, printJson, type Context } from '../context.ts';
import { connect } from '../client/connection.ts';
import type { InstanceFlags, ServerFlags } from '../flags.ts';
import { tableText } from '../terminal/table.ts';
import { openForOperator, record } from './operator.ts';

export type IssueFlags = InstanceFlags & Readonly<{
  principal: string; role?: string; permission?: readonly string[]; expires: number; quiet?: boolean; json?: boolean;
  cid?: readonly string[]; issuer?: string; existing?: boolean;
}>;
export type ListFlags = ServerFlags & Readonly<{ owner?: string; limit: number; json?: boolean; quiet?: boolean }>;
export type RevokeFlags = ServerFlags & Readonly<{ principal?: string; session?: string; json?: boolean; quiet?: boolean }>;

export async function issue(this: Context, flags: IssueFlags): Promise<void> {
  await using instance = await openForOperator(this, flags);
  const reply = await issueAsOperator(instance, { principal: flags.principal, role: flags.role, permissions: flags.permission, expiresInSeconds: flags.expires, existing: flags.existing, cids: flags.cid, issuer: flags.issuer });
  if (flags.quiet === true) return print(this, reply.token);
  if (flags.json === true) return printJson(this, reply);
  print(this, `principal  ${reply.principal}\nexpires    ${reply.expires_at}\nid         ${reply.jti}\ntoken      ${reply.token}`);
}

/** As `POST /api/v1/tokens` answers. */
export type IssuedToken = Readonly<{ token: string; jti: string; principal: string; expires_at: string }>;

export type Order = Readonly<{
  principal: string; role?: string | undefined; permissions?: readonly string[] | undefined; expiresInSeconds: number;
  /** Refuse an absent principal. */
  existing?: boolean | undefined;
  /** Contents that the token opens beside, and the principal who holds and shares them. */
  cids?: readonly string[] | undefined; issuer?: string | undefined;
}>;

/** An absent principal is made, with the role (default `user`), unless `existing`; of a known one the token only narrows. `role.exceeds`, `role.unknown`, `principal.absent`. */
export async function issueAsOperator(instance: Instance, order: Order): Promise<IssuedToken> {
  const { tokenAudience, signing, roles, clock } = instance;
  const now = clock();
  if ((order.cids === undefined) !== (order.issuer === undefined)) throw new WeirError('request.invalid', '--cid goes with --issuer NAME: the principal who holds that content and shares it.');
  const issued = await instance.data.write(async (tx) => {
    const known = await tx.selectFrom('principal').select('id').where('id', '=', order.principal).executeTakeFirst();
    if (known === undefined && order.existing === true) throw new WeirError('principal.absent', `There is no principal "${order.principal.slice(0, 64)}".`);
    if (known === undefined) {
      const role = order.role ?? 'user';
      await addPrincipal(tx, roles, { id: order.principal, role }, now);
      await record(tx, instance, 'user.write', `principal:${order.principal}`, `added with role ${role} for a token`);
    }
    const token = await issueToken(tx, { issuer: tokenAudience, audience: tokenAudience, key: signing.access.signing, roles }, {
      principal: order.principal, issuer: order.issuer ?? 'operator', role: known === undefined ? undefined : order.role, permissions: order.permissions,
      expiresInSeconds: order.expiresInSeconds, shared: order.issuer === undefined ? undefined : await heldBy(tx, roles, order.issuer, order.cids ?? []),
    }, { now });
    await record(tx, instance, 'token.issue', `token:${token.jti}`, `for ${order.principal}`);
    return token;
  });
  return { token: issued.token, jti: issued.jti, principal: order.principal, expires_at: toInstant(issued.expiresAtMs) };
}

/** Holdings of an issuer who may share. `object.absent`, `permission.refused`. */
async function heldBy(tx: Tx, roles: ReadonlyMap<string, Role>, issuer: string, cids: readonly string[]): Promise<readonly SharedHolding[]> {
  const { role, permissions, disabled } = await getPrincipal(tx, issuer);
  if (disabled !== 0 || !(roles.get(role)?.permissions.has('share_content') === true || readStrings(permissions).includes('share_content'))) {
    throw new WeirError('permission.refused', `"${issuer}" may not share content.`);
  }
  return holdingsToShare(tx, issuer, cids);
}

export async function list(this: Context, flags: ListFlags): Promise<void> {
  const page = await tokens.list(await connect(this, flags), { owner: flags.owner, limit: flags.limit, signal: this.signal });
  if (flags.json === true) return printJson(this, page);
  if (flags.quiet === true) return page.items.forEach((item) => print(this, item.jti));
  print(this, tableText(['TOKEN', 'OF', 'ISSUED BY', 'NARROWED TO', 'STATE', 'UNTIL'], page.items.map((item) =>
    [item.jti, item.principal, item.issuer, item.permissions?.join(' ') ?? item.role ?? '-', item.revoked ? 'revoked' : 'valid', item.expires_at])));
}

export async function revoke(this: Context, flags: RevokeFlags, ...ids: readonly string[]): Promise<void> {
  if (ids.length === 0 && flags.principal === undefined && flags.session === undefined) throw new WeirError('request.invalid', 'Name tokens (`weir token list` shows their ids), or --principal NAME, or --session ID.');
  const client = await connect(this, flags);
  for (const id of ids) await tokens.revoke(client, id, { signal: this.signal });
  if (flags.session !== undefined) await auth.endSession(client, flags.session, { signal: this.signal });
  const more = flags.principal === undefined ? 0 : (await tokens.revokeAll(client, { owner: flags.principal, signal: this.signal })).revoked;
  if (flags.json === true) return printJson(this, { revoked: ids, session: flags.session ?? null, of_principal: more });
  if (flags.quiet !== true) print(this, `Revoked${ids.length + more === 0 ? '' : ` ${ids.length + more} tokens`}${flags.session === undefined ? '' : ' a session with its tokens'}; what runs under them ends within a second.`);
}
