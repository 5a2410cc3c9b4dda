/** What an instance needs before anybody can use it: one principal that manages users, and a link to sign in with. */
import { addPrincipal } from '@weir/data/security-stores/principals';
import { keepProxyPrincipals } from '@weir/data/security-stores/proxy-principals';
import { createSignInSecret } from '@weir/data/security-stores/login-sessions';
import type { App } from './app.ts';

export const firstAdmin = 'admin';

/** Makes `admin` in a new instance; a sign-in link for it at each start, unless it was disabled or removed. */
export async function prepareFirstStart(app: App): Promise<string | undefined> {
  const now = app.clock();
  const entry = { class: 'A', address: '', decision: 'allowed', requestId: '' } as const;
  const secret = await app.data.write(async (tx) => {
    const anyone = await tx.selectFrom('principal').select('id').limit(1).executeTakeFirst();
    if (anyone === undefined) {
      await addPrincipal(tx, app.roles, { id: firstAdmin, role: 'admin' }, now);
      await app.audit.record(tx, { ...entry, principal: 'operator', action: 'user.write', object: `principal:${firstAdmin}`, reason: 'first start' });
    }
    const admin = await tx.selectFrom('principal').select('id').where('id', '=', firstAdmin).where('disabled', '=', 0).executeTakeFirst();
    if (admin === undefined) return undefined;
    await app.audit.record(tx, { ...entry, principal: 'operator', action: 'user.write', object: `principal:${firstAdmin}`, reason: 'sign-in link at start' });
    return createSignInSecret(tx, firstAdmin, now);
  });
  await app.gatekeeper.epochs.refresh();
  return secret === undefined ? undefined : signInLink(app, secret);
}

/** The principals that callers of a role share when a proxy names roles; none of them stays when it no longer does. */
export async function prepareProxyPrincipals(app: App): Promise<void> {
  const roles = app.config.permissions.role_header === undefined ? [] : [...app.roles.keys()];
  await app.data.write(async (tx) => {
    for (const id of await keepProxyPrincipals(tx, roles, app.clock())) {
      await app.audit.record(tx, { class: 'A', principal: 'operator', address: '', action: 'user.write', object: `principal:${id}`, decision: 'allowed', reason: 'permissions.role_header', requestId: '' });
    }
  });
  await app.gatekeeper.epochs.refresh();
}

/** On this machine a name of the instance's own keeps its cookie apart from other servers on other ports. */
export function signInLink(app: App, secret: string): string {
  const url = new URL(app.publicUrl());
  if (url.hostname === '127.0.0.1') url.hostname = `${app.instanceId}.localhost`;
  return `${url.origin}/sign-in#${secret}`;
}
