/** A real OpenID provider on this machine, whose people sign in by being named: whoever `person` says, at each of its sign-in pages. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider, { type Configuration } from 'oidc-provider';

export type Person = Readonly<{ sub: string; preferred_username?: string; email?: string; email_verified?: boolean; groups?: readonly string[] }>;

export class IdentityProvider implements AsyncDisposable {
  readonly issuer: string;
  readonly clientSecret = randomBytes(24).toString('base64url');
  /** Who signs in next. */
  person: Person = { sub: 'nobody' };
  /** How often somebody was asked to sign in: a session of the provider is not asked again. */
  signIns = 0;
  readonly #server: Server;
  readonly #people = new Map<string, Person>();

  constructor(server: Server, redirectUris: readonly string[]) {
    this.#server = server;
    this.issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const provider = new Provider(this.issuer, this.#settings(redirectUris));
    const handle = provider.callback();
    server.on('request', (request, response) => {
      if (request.url?.startsWith('/sign-in-page/') !== true) { void handle(request, response); return; }
      this.signIns += 1;
      this.#people.set(this.person.sub, this.person);
      void provider.interactionFinished(request, response, { login: { accountId: this.person.sub } }, { mergeWithLastSubmission: false });
    });
  }

  #settings(redirectUris: readonly string[]): Configuration {
    return {
      clients: [{ client_id: 'weir', client_secret: this.clientSecret, redirect_uris: [...redirectUris], grant_types: ['authorization_code'], response_types: ['code'] }],
      claims: { openid: ['sub'], profile: ['preferred_username', 'groups'], email: ['email', 'email_verified'] },
      features: { devInteractions: { enabled: false } },
      cookies: { keys: [randomBytes(16).toString('hex')] },
      interactions: { url: (_, interaction) => `/sign-in-page/${interaction.uid}` },
      findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ ...this.#people.get(sub), sub }) }),
      // Nobody is asked whether Weir may know who they are.
      loadExistingGrant: async (context) => {
        const { client, session, provider } = context.oidc;
        const grant = new provider.Grant({ clientId: client?.clientId ?? '', accountId: session?.accountId ?? '' });
        grant.addOIDCScope('openid profile email');
        await grant.save();
        return grant;
      },
      pkce: { required: () => true },
      ttl: { Interaction: 600, Session: 3_600, Grant: 3_600, AccessToken: 600, IdToken: 600 },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

export async function startIdentityProvider(redirectUris: readonly string[]): Promise<IdentityProvider> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  return new IdentityProvider(server, redirectUris);
}
