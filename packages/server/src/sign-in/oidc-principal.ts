/** The principal that a subject of a provider is here: the one it was linked to, or one made for it. Names and addresses decide nothing. */
import type { Tx } from '@weir/data/schema';
import { adoptExternal, findExternal } from '@weir/data/security-stores/external-identities';
import type { AuditEntry } from '@weir/security/audit';
import type { App } from '../app.ts';
import type { OidcSettings } from '../config/schema.ts';
import { domainAllowed, readableName, roleFor, type Claims } from './oidc-claims.ts';
import { ProviderRefused, type Errand } from './oidc-flow.ts';

/** Whoever may not come at all by this provider, whatever they are here. Throws `ProviderRefused`. */
export function requireWelcome(settings: OidcSettings, claims: Claims, errand: Errand): void {
  if (!domainAllowed(settings, claims)) throw new ProviderRefused('domain', 'no verified address of an allowed domain', errand);
  if (settings.role_claim !== undefined && roleFor(settings, claims) === undefined) throw new ProviderRefused('unmapped', 'no role for these claims', errand);
}

/**
 * Finds or makes it. A principal that a sign-in made has the role that the provider says each time; one that linked itself keeps its own.
 * Errors: `ProviderRefused`, `principal.last_admin`.
 */
export async function principalOf(tx: Tx, app: App, settings: OidcSettings, came: Readonly<{ subject: string; claims: Claims }>, entry: AuditEntry): Promise<string> {
  const { issuer, name: provider, create } = settings;
  const subject = { issuer, subject: came.subject };
  const role = roleFor(settings, came.claims);
  const now = app.clock();
  const adopted = role === undefined ? await findExternal(tx, subject)
    : await adoptExternal(tx, app.roles, { ...subject, role, create, issuedAtMs: now, name: readableName(subject, came.claims) }, now);
  if (adopted === undefined) throw new ProviderRefused('unlinked', 'subject is linked to nobody');
  const { principal } = adopted;
  if ('change' in adopted && adopted.change !== 'none') {
    const reason = `${adopted.change === 'made' ? 'added with ' : ''}role ${role} by ${provider}`;
    await app.audit.record(tx, { ...entry, principal, object: `principal:${principal}`, reason });
  }
  return principal;
}
