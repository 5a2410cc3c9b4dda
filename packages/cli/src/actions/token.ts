/** `weir token issue`: an access token made on the server's machine. */
import { toInstant } from '@weir/contracts/identity';
import { addPrincipal } from '@weir/data/security-stores/principals';
import { issueToken } from '@weir/data/security-stores/tokens';
import type { Instance } from '@weir/server/instance';
import { print, printJson, type Context } from '../context.ts';
import type { InstanceFlags } from '../flags.ts';
import { openForOperator, record } from './operator.ts';

export type IssueFlags = InstanceFlags & Readonly<{
  principal: string; role?: string; permission?: readonly string[]; expires: number; quiet?: boolean; json?: boolean;
}>;

export async function issue(this: Context, flags: IssueFlags): Promise<void> {
  await using instance = await openForOperator(this, flags);
  const reply = await issueAsOperator(instance, { principal: flags.principal, role: flags.role, permissions: flags.permission, expiresInSeconds: flags.expires });
  if (flags.quiet === true) return print(this, reply.token);
  if (flags.json === true) return printJson(this, reply);
  print(this, `principal  ${reply.principal}\nexpires    ${reply.expires_at}\nid         ${reply.jti}\ntoken      ${reply.token}`);
}

/** As `POST /api/v1/tokens` answers. */
export type IssuedToken = Readonly<{ token: string; jti: string; principal: string; expires_at: string }>;

export type Order = Readonly<{ principal: string; role?: string | undefined; permissions?: readonly string[] | undefined; expiresInSeconds: number }>;

/** An absent principal is made, with the role (default `user`); of a known one the token only narrows. `role.exceeds`, `role.unknown`. */
export async function issueAsOperator(instance: Instance, order: Order): Promise<IssuedToken> {
  const { tokenAudience, signing, roles, clock } = instance;
  const now = clock();
  const issued = await instance.data.write(async (tx) => {
    const known = await tx.selectFrom('principal').select('id').where('id', '=', order.principal).executeTakeFirst();
    if (known === undefined) {
      const role = order.role ?? 'user';
      await addPrincipal(tx, roles, { id: order.principal, role }, now);
      await record(tx, instance, 'user.write', `principal:${order.principal}`, `added with role ${role} for a token`);
    }
    const token = await issueToken(tx, { issuer: tokenAudience, audience: tokenAudience, key: signing.access.signing, roles }, {
      principal: order.principal, issuer: 'operator', role: known === undefined ? undefined : order.role, permissions: order.permissions,
      expiresInSeconds: order.expiresInSeconds,
    }, { now });
    await record(tx, instance, 'token.issue', `token:${token.jti}`, `for ${order.principal}`);
    return token;
  });
  return { token: issued.token, jti: issued.jti, principal: order.principal, expires_at: toInstant(issued.expiresAtMs) };
}
