/** What the operator named is reached in the networks that he allowed, and nothing else: keys of issuers, providers and what their metadata name. */
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { expect, test } from 'vitest';
import { Config } from '../src/config/schema.ts';
import { keySetOf } from '../src/issuers.ts';
import { addressFlaw, brokerTo } from '../src/named-hosts.ts';
import { OidcProvider } from '../src/sign-in/oidc-provider.ts';

const here = ['127.0.0.0/8'];

async function serveOn(handler: RequestListener) {
  const server = createServer(handler);
  let asked = 0;
  server.on('request', () => { asked += 1; });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  return { port, asked: () => asked, [Symbol.asyncDispose]: async () => { server.closeAllConnections(); server.close(); await once(server, 'close'); } };
}

const keysAt = (address: string, networks: readonly string[]) => keySetOf({ jwks_file: undefined, jwks_uri: address, allow_networks: [...networks] });

test('an address is HTTPS anywhere and HTTP on this machine; one that is not public needs its network, this machine too', () => {
  for (const address of ['https://a.example/x', 'https://1.1.1.1/', 'https://localhost.evil.example/']) expect(addressFlaw(address, [])).toBeUndefined();
  for (const address of ['http://127.0.0.1:1/x', 'http://localhost/x', 'https://127.1/', 'https://2130706433/']) {
    expect(addressFlaw(address, here), address).toBeUndefined();
    expect(addressFlaw(address, []), address).toContain('allow_networks');
  }
  expect(addressFlaw('http://[::1]/x', ['::1'])).toBeUndefined();
  for (const address of ['https://10.0.0.1/', 'https://169.254.169.254/', 'https://[::1]/', 'https://[::ffff:10.0.0.1]/', 'http://0x0a000001/']) expect(addressFlaw(address, here), address).toBeDefined();
  for (const address of ['http://a.example/x', 'http://10.0.0.1/', 'http://127.0.0.1.evil.example/', 'http://localhost.evil.example/', 'file:///etc/passwd', 'ftp://127.0.0.1/', 'nonsense', 'https://a:b@c/']) {
    expect(addressFlaw(address, ['0.0.0.0/0', '::/0']), address).toBeDefined();
  }
});

test('keys are read with how long they hold; a redirect, another status and too much are errors, and its target is not asked', async () => {
  let answer: RequestListener = (_request, response) => { response.setHeader('cache-control', 'public, max-age=90').end('{"keys":[]}'); };
  await using server = await serveOn((request, response) => { answer(request, response); });
  const read = keysAt(`http://127.0.0.1:${server.port}/jwks?a=b`, here);
  expect(await read()).toEqual({ text: '{"keys":[]}', maxAgeSeconds: 90 });
  answer = (_request, response) => response.writeHead(302, { location: '/elsewhere' }).end();
  await expect(read()).rejects.toMatchObject({ code: 'outbound.refused' });
  answer = (_request, response) => response.writeHead(503).end();
  await expect(read()).rejects.toMatchObject({ code: 'outbound.failed', message: expect.stringContaining('503') });
  answer = (_request, response) => response.end(Buffer.alloc(300_000, 0x20));
  await expect(read()).rejects.toMatchObject({ code: 'outbound.failed' });
  expect(server.asked()).toBe(4);
});

test('a name that lies at a private address is not reached where its network is not allowed, whatever it is called', async () => {
  await using server = await serveOn((_request, response) => response.end('{"keys":[]}'));
  await expect(keysAt(`http://localhost:${server.port}/`, [])()).rejects.toMatchObject({ code: 'outbound.refused' });
  await expect(keysAt(`http://localhost:${server.port}/`, ['10.0.0.0/8'])()).rejects.toMatchObject({ code: 'outbound.refused' });
  expect(server.asked()).toBe(0);
  expect(await keysAt(`http://localhost:${server.port}/`, here)()).toMatchObject({ text: '{"keys":[]}' });
});

test('a broker reaches the hosts that it was made for and no other', async () => {
  await using server = await serveOn((_request, response) => response.end());
  await using broker = brokerTo(['https://id.example/a', 'https://id.example/b'], here);
  await expect(broker.fetch({ url: `http://127.0.0.1:${server.port}/` })).rejects.toMatchObject({ code: 'outbound.refused' });
  await expect(broker.fetch({ url: 'https://id.example:8443/' })).rejects.toMatchObject({ code: 'outbound.refused' });
  expect(server.asked()).toBe(0);
});

test('what the metadata of a provider name is reached as the operator allowed: no private network beside his, and no plain HTTP elsewhere', async () => {
  const metadata: Record<string, string> = {};
  await using provider = await serveOn((_request, response) => response.setHeader('content-type', 'application/json').end(JSON.stringify(metadata)));
  await using inside = await serveOn((_request, response) => response.end('{}'));
  const issuer = `http://127.0.0.1:${provider.port}`;
  const ask = async (endpoint: string, networks: readonly string[]): Promise<unknown> => {
    Object.assign(metadata, { issuer, authorization_endpoint: `${issuer}/a`, token_endpoint: endpoint, jwks_uri: `${issuer}/jwks` });
    const [settings] = Config.parse({ identity: { oidc: [{ name: 'idp', issuer, client_id: 'weir', allow_networks: networks }] } }).identity.oidc;
    if (settings === undefined) throw new Error('no provider');
    const configuration = await new OidcProvider(settings, undefined).configuration();
    return (await import('openid-client')).refreshTokenGrant(configuration, 'a-token').then(() => 'reached', (error: unknown) => {
      for (let at = error; at instanceof Error; at = at.cause) if ('code' in at && String(at.code).startsWith('outbound.')) return at.code;
      return 'reached';
    });
  };
  expect(await ask(`http://127.0.0.1:${inside.port}/token`, ['127.0.0.1'])).toBe('reached');
  expect(inside.asked()).toBe(1);
  for (const endpoint of [`http://127.0.0.2:${inside.port}/token`, 'https://10.0.0.1/token', 'http://id.example/token', 'https://169.254.169.254/latest']) {
    expect(await ask(endpoint, ['127.0.0.1']), endpoint).toBe('outbound.refused');
  }
  await expect(ask('https://id.example/token', [])).rejects.toThrow(/allow_networks/);
});
