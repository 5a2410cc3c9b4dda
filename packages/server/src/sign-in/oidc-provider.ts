/** A provider that people sign in with (OpenID Connect Core 1.0): its settings checked, its metadata discovered when first needed. */
import { WeirError } from '@weir/contracts/errors';
import { readPrivateFile } from '@weir/credentials/private-file';
import type { Redactor } from '@weir/security/redaction';
import type { Role } from '@weir/security/roles';
import { Secret } from '@weir/security/secret';
import { allowInsecureRequests, ClientSecretBasic, customFetch, discovery, enableNonRepudiationChecks, None, type Configuration } from 'openid-client';
import type { App } from '../app.ts';
import type { OidcSettings } from '../config/schema.ts';
import { fetchBounded } from '../outbound-fetch.ts';

/** Metadata are asked for again after this time; keys are, by themselves, whenever a token names one that is not known. */
const metadataLifeMs = 3_600_000;
const mostSecretBytes = 4_096;

export class OidcProvider {
  readonly settings: OidcSettings;
  readonly #secret: Secret | undefined;
  #discovered: Readonly<{ atMs: number; configuration: Promise<Configuration> }> | undefined;

  constructor(settings: OidcSettings, secret: Secret | undefined) {
    this.settings = settings;
    this.#secret = secret;
  }

  /** The provider's metadata and how it is spoken to. `server.unreachable` and errors of openid-client; the next call tries again. */
  async configuration(): Promise<Configuration> {
    const nowMs = performance.now();
    if (this.#discovered === undefined || nowMs - this.#discovered.atMs > metadataLifeMs) this.#discovered = { atMs: nowMs, configuration: this.#discover() };
    const { configuration } = this.#discovered;
    try {
      return await configuration;
    } catch (error) {
      this.#discovered = undefined;
      throw error;
    }
  }

  #discover(): Promise<Configuration> {
    const { issuer, client_id: clientId } = this.settings;
    const url = new URL(issuer);
    return discovery(url, clientId, undefined, this.#secret === undefined ? None() : ClientSecretBasic(this.#secret.reveal().toString('utf8')), {
      [customFetch]: (address, init) => fetchBounded(address, init),
      // Tokens are verified by their signature, not only by who sent them; `fetchBounded` keeps plain HTTP on this machine.
      execute: [enableNonRepudiationChecks, ...(url.protocol === 'http:' ? [allowInsecureRequests] : [])],
    });
  }
}

/** Errors: `config.invalid` with the provider's name and what to change, `file.permissions`. */
export async function openOidcProviders(all: readonly OidcSettings[], roles: ReadonlyMap<string, Role>, redactor: Redactor): Promise<ReadonlyMap<string, OidcProvider>> {
  const providers = new Map<string, OidcProvider>();
  for (const settings of all) {
    const problem = problemOf(settings, roles) ?? (providers.has(settings.name) ? 'this name is used twice' : undefined);
    if (problem !== undefined) throw new WeirError('config.invalid', `[[identity.oidc]] "${settings.name}": ${problem}.`);
    const secret = await secretOf(settings);
    if (secret !== undefined) redactor.register(secret);
    providers.set(settings.name, new OidcProvider(settings, secret));
  }
  return providers;
}

function problemOf(settings: OidcSettings, roles: ReadonlyMap<string, Role>): string | undefined {
  const { client_secret: secret, client_secret_file: file, scopes, role_claim: claim, role_map: map, default_role: fallback, create } = settings;
  const unknown = [...Object.values(map), ...(fallback === undefined ? [] : [fallback])].find((role) => !roles.has(role));
  if (secret !== undefined && file !== undefined) return 'give client_secret or client_secret_file, not both';
  if (!scopes.includes('openid')) return 'scopes must name openid';
  if (unknown !== undefined) return `there is no role "${unknown}"`;
  if (fallback !== undefined && roles.get(fallback)?.permissions.has('manage_users') === true) return `default_role "${fallback}" may manage users; name in role_map who gets that role`;
  if (Object.keys(map).length > 0 && claim === undefined) return 'role_map needs role_claim';
  if (create && claim === undefined && fallback === undefined) return 'create needs role_claim with role_map, or default_role';
  return undefined;
}

async function secretOf({ client_secret: secret, client_secret_file: file }: OidcSettings): Promise<Secret | undefined> {
  if (file === undefined) return secret;
  return new Secret(Buffer.from(Buffer.from(await readPrivateFile(file, mostSecretBytes)).toString('utf8').trim()));
}

/** Issuers that people can sign in with here. */
export const issuersOf = (app: App): string[] => [...app.oidc.values()].map(({ settings }) => settings.issuer);
