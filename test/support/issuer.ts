/** An identity provider for tests: real keys, real tokens, a real HTTP server for its JWK Set, and every way to get a token wrong. */
import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';

export type Pair = Readonly<{ kid: string; alg: string; privateKey: CryptoKey; publicKey: CryptoKey; jwk: JWK }>;

export async function newPair(kid: string, alg: string, options: { modulusLength?: number } = {}): Promise<Pair> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true, ...options });
  return { kid, alg, privateKey, publicKey, jwk: { ...await exportJWK(publicKey), kid, alg, use: 'sig' } };
}

export class TestIssuer implements AsyncDisposable {
  readonly url: string;
  readonly #server: Server;
  keys: readonly object[] = [];
  /** How often the set was asked for. */
  readings = 0;
  /** What it answers in place of the set. */
  broken: { status: number; body?: string; location?: string } | undefined;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(): Promise<TestIssuer> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const issuer = new TestIssuer(server, (server.address() as AddressInfo).port);
    server.on('request', (request, response) => {
      issuer.readings += 1;
      const { broken } = issuer;
      if (broken !== undefined) response.writeHead(broken.status, broken.location === undefined ? {} : { location: broken.location }).end(broken.body ?? '');
      else if (request.url === '/jwks') response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys: issuer.keys }));
      else response.writeHead(404).end();
    });
    return issuer;
  }

  claims(sub: string, more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
    const now = Math.floor(Date.now() / 1_000);
    return { iss: this.url, aud: 'weir', sub, iat: now, exp: now + 600, roles: ['staff'], ...more };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => { this.#server.close(resolve); });
  }
}

export const signed = (pair: Pair, claims: Record<string, unknown>, header: Readonly<Record<string, unknown>> = {}): Promise<string> =>
  new SignJWT(claims).setProtectedHeader({ alg: pair.alg, kid: pair.kid, typ: 'at+jwt', ...header }).sign(pair.privateKey);

const part = (text: string): string => Buffer.from(text).toString('base64url');

/** A token of exactly these texts, with a signature that `sign` makes of them. */
export async function spelled(header: string, payload: string, sign: (text: string) => Promise<Uint8Array> | Uint8Array): Promise<string> {
  const text = `${part(header)}.${part(payload)}`;
  return `${text}.${Buffer.from(await sign(text)).toString('base64url')}`;
}

export const hmacWith = (secret: string | Buffer) => (text: string): Uint8Array => createHmac('sha256', secret).update(text).digest();
export const signWith = ({ privateKey, alg }: Pair) => async (text: string): Promise<Uint8Array> =>
  new Uint8Array(await crypto.subtle.sign(alg === 'ES256' ? { name: 'ECDSA', hash: 'SHA-256' } : privateKey.algorithm.name, privateKey, Buffer.from(text)));
