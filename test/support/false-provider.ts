/** An OpenID provider that says whatever a test wants: what a client must not believe. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Claims = Readonly<Record<string, unknown>>;
export type Falsehood = Readonly<{
  claims?: Claims; header?: Claims; metadata?: Claims;
  /** Signed by a key that the provider does not publish. */
  foreignKey?: boolean;
  /** In place of an answer of the token endpoint. */
  answer?: (response: ServerResponse) => void;
}>;

const pair = () => generateKeyPairSync('rsa', { modulusLength: 2048 });

export class FalseProvider implements AsyncDisposable {
  readonly issuer: string;
  falsehood: Falsehood = {};
  /** Of the latest request: what an honest provider puts into the token. */
  nonce = '';
  readonly tokenRequests: URLSearchParams[] = [];
  readonly #server: Server;
  readonly #keys = { published: pair(), foreign: pair() };

  constructor(server: Server) {
    this.#server = server;
    this.issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (request, response) => { void this.#answer(request, response); });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const json = (value: unknown): void => { response.setHeader('content-type', 'application/json').end(JSON.stringify(value)); };
    switch (request.url ?? '') {
      case '/.well-known/openid-configuration': return json({
        issuer: this.issuer, authorization_endpoint: `${this.issuer}/authorize`, token_endpoint: `${this.issuer}/token`, jwks_uri: `${this.issuer}/jwks`,
        response_types_supported: ['code'], subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['RS256'],
        authorization_response_iss_parameter_supported: true, ...this.falsehood.metadata,
      });
      case '/jwks': return json({ keys: [{ ...this.#keys.published.publicKey.export({ format: 'jwk' }), kid: 'k', use: 'sig', alg: 'RS256' }] });
      case '/token': {
        let body = '';
        for await (const piece of request) body += String(piece);
        this.tokenRequests.push(new URLSearchParams(body));
        if (this.falsehood.answer !== undefined) return this.falsehood.answer(response);
        return json({ access_token: 'a', token_type: 'Bearer', expires_in: 60, id_token: this.#idToken() });
      }
      default: response.writeHead(404).end();
    }
  }

  #idToken(): string {
    const now = Math.floor(Date.now() / 1_000);
    const { claims, header, foreignKey } = this.falsehood;
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const signed = `${part({ alg: 'RS256', kid: 'k', ...header })}.${part({ iss: this.issuer, aud: 'weir', sub: 'person', iat: now, exp: now + 60, nonce: this.nonce, auth_time: now, ...claims })}`;
    const { privateKey } = foreignKey === true ? this.#keys.foreign : this.#keys.published;
    return `${signed}.${header?.['alg'] === 'none' ? '' : sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

export async function startFalseProvider(): Promise<FalseProvider> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  return new FalseProvider(server);
}
