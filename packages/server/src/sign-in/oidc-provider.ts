/** A provider that people sign in with (OpenID Connect Core 1.0): its settings checked, its metadata discovered when first needed. */
import { WeirError } from '@weir/contracts/errors';
import { readPrivateFile } from '@weir/credentials/private-file';
import type { OutboundBroker } from '@weir/security/outbound/broker';
import type { Redactor } from '@weir/security/redaction';
import type { Role } from '@weir/security/roles';
import { Secret } from '@weir/security/secret';
import { allowInsecureRequests, ClientSecretBasic, customFetch, discovery, enableNonRepudiationChecks, None, type Configuration, type CustomFetch } from 'openid-client';
import type { App } from '../app.ts';
import type { OidcSettings } from '../config/schema.ts';
import { addressFlaw, brokerTo } from '../named-hosts.ts';

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

  /** The provider's metadata and how it is spoken to. `outbound.refused`, `outbound.failed` and errors of openid-client; the next call tries again. */
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

  async #discover(): Promise<Configuration> {
    const { issuer, client_id: clientId, allow_networks: networks } = this.settings;
    const url = new URL(issuer);
    const configuration = await discovery(url, clientId, undefined, this.#secret === undefined ? None() : ClientSecretBasic(this.#secret.reveal().toString('utf8')), {
      [customFetch]: through(brokerTo([issuer], networks)),
      // Tokens are verified by their signature, not only by who sent them; `addressFlaw` keeps plain HTTP on this machine.
      execute: [enableNonRepudiationChecks, ...(url.protocol === 'http:' ? [allowInsecureRequests] : [])],
    });
    // What the operator named names the others: they are reached as he allowed for it, and nothing beside them.
    const { token_endpoint: token, jwks_uri: keys, userinfo_endpoint: userInfo } = configuration.serverMetadata();
    const named = [token, keys, userInfo].filter((address) => address !== undefined).filter((address) => addressFlaw(address, networks) === undefined);
    configuration[customFetch] = through(brokerTo([issuer, ...named], networks));
    return configuration;
  }
}

/** Redirects are refused, whole answers come back whatever their status. Errors: `outbound.refused`, `outbound.failed`, `rate.exceeded`. */
const through = (broker: OutboundBroker): CustomFetch => async (url, { method, headers, body, signal }) => {
  if (method !== 'GET' && method !== 'POST') throw new TypeError(`a request to a provider is no ${method}`);
  if (body !== undefined && body !== null && typeof body !== 'string' && !(body instanceof URLSearchParams)) throw new TypeError('a request to a provider is a form');
  const reply = await broker.fetch({ url, method, headers, ...(body === undefined || body === null ? {} : { body: body.toString() }), ...(signal === undefined ? {} : { signal }) });
  // An answer without a body, as 204, must have none here either.
  return new Response(reply.body.length === 0 ? null : new Uint8Array(reply.body), { status: reply.status, headers: { ...reply.headers } });
};

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
