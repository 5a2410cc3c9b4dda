/** Requests to elsewhere, against real servers on this machine: what is reached, what is not, and what comes back. */
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTcpServer, type LookupFunction } from 'node:net';
import { createSecureServer } from 'node:http2';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { setTimeout as wait } from 'node:timers/promises';
import { generate } from 'selfsigned';
import { expect, test } from 'vitest';
import { OutboundBroker, type OutboundLimits, type OutboundRequest } from '../../src/outbound/broker.ts';
import { Secret } from '../../src/secret.ts';

const loopback = ['127.0.0.0/8'];

async function serveOn(handler: RequestListener, address = '0.0.0.0') {
  const server = createServer(handler);
  const peers: string[] = [];
  let open = 0;
  server.on('connection', (socket) => {
    peers.push(socket.localAddress ?? '');
    open += 1;
    socket.on('close', () => { open -= 1; });
  });
  server.listen(0, address);
  await once(server, 'listening');
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  return { port, peers, open: () => open, [Symbol.asyncDispose]: async () => { server.closeAllConnections(); server.close(); await once(server, 'close'); } };
}

const ok: RequestListener = (_request, response) => response.end('ok');
const broker = (url: string, networks: readonly string[] = loopback, more: { lookup?: LookupFunction; limits?: Partial<OutboundLimits> } = {}) => new OutboundBroker({ rules: [{ url, networks }], ...more });

/** Answers each question with the next list of addresses, and the last one for ever. */
function names(...answers: readonly (readonly string[])[]): LookupFunction {
  let asked = 0;
  return (_name, _options, callback) => {
    const answer = answers[Math.min(asked, answers.length - 1)] ?? [];
    asked += 1;
    setImmediate(() => callback(null, answer.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))));
  };
}

test('what a rule names is reached, in the network that it names', async () => {
  await using server = await serveOn((request, response) => {
    response.setHeader('x-seen', `${request.method} ${request.url} ${request.headers['content-type']}`);
    request.pipe(response);
  });
  await using out = broker(`http://127.0.0.1:${server.port}/hook/*`);
  const reply = await out.fetch({ url: `http://127.0.0.1:${server.port}/hook/a?b=c`, method: 'POST', body: 'hello', headers: { 'content-type': 'text/plain' } });
  expect([reply.status, reply.body.toString(), reply.headers['x-seen']]).toEqual([200, 'hello', 'POST /hook/a?b=c text/plain']);
  await expect(out.fetch({ url: `http://127.0.0.1:${server.port}/other` })).rejects.toMatchObject({ code: 'outbound.refused', message: expect.stringContaining(`http://127.0.0.1:${server.port}`) });
});

test('what is not said is GET, as weir, without compression; what is said is said once', async () => {
  await using server = await serveOn((request, response) => response.end(JSON.stringify([request.method, ...request.rawHeaders])));
  await using out = broker(`http://127.0.0.1:${server.port}/`);
  const seen = async (more: Partial<OutboundRequest>): Promise<string[]> => JSON.parse((await out.fetch({ url: `http://127.0.0.1:${server.port}/`, ...more })).body.toString());
  const plain = await seen({});
  expect([plain[0], plain.includes('weir'), plain.includes('identity')]).toEqual(['GET', true, true]);
  expect((await seen({ body: 'x' }))[0]).toBe('GET');
  for (const more of [{ headers: { 'User-Agent': 'another' } }, { secrets: { 'User-Agent': 'another' } }]) {
    const named = await seen(more);
    expect(named.filter((one) => one.toLowerCase() === 'user-agent')).toHaveLength(1);
    expect(named).not.toContain('weir');
  }
});

test('any bytes go out and come back as they are', async () => {
  await using server = await serveOn((request, response) => request.pipe(response));
  await using out = broker(`http://127.0.0.1:${server.port}/`);
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  expect((await out.fetch({ url: `http://127.0.0.1:${server.port}/`, method: 'PUT', body: bytes })).body).toEqual(bytes);
});

test('bodies may have as many bytes as the limits say, counted as bytes, and none more', async () => {
  await using server = await serveOn((request, response) => {
    request.resume();
    response.end(Buffer.alloc(Number(request.url?.slice(1))));
  });
  await using out = broker(`http://127.0.0.1:${server.port}/*`, loopback, { limits: { requestBytes: 100, responseBytes: 200 } });
  const send = (body: string | Buffer, answer: number): Promise<unknown> => out.fetch({ url: `http://127.0.0.1:${server.port}/${answer}`, method: 'POST', body }).then(({ body: { length } }) => length, (error: unknown) => error);
  expect([await send('é'.repeat(50), 200), await send(Buffer.alloc(100), 0)]).toEqual([200, 0]);
  for (const body of ['é'.repeat(51), Buffer.alloc(101)]) expect(await send(body, 0)).toMatchObject({ code: 'outbound.refused', message: expect.stringContaining('100 bytes') });
  expect(await send('', 201)).toMatchObject({ code: 'outbound.failed', message: expect.stringContaining('more than 200 bytes') });
});

test('a name is asked of this machine, and what it means here is reached where its network is named', async () => {
  await using server = await serveOn(ok);
  await using out = broker(`http://localhost:${server.port}/`);
  expect((await out.fetch({ url: `http://localhost:${server.port}/` })).status).toBe(200);
});

test('a name that nobody knows is a failure of the other side, not a refusal', async () => {
  const lookup: LookupFunction = (_name, _options, callback) => { setImmediate(() => callback(Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' }), '')); };
  await using out = broker('http://nobody.test/', loopback, { lookup });
  await expect(out.fetch({ url: 'http://nobody.test/' })).rejects.toMatchObject({ code: 'outbound.failed', message: expect.stringContaining('ENOTFOUND') });
});

test('over TLS a host is believed by a certificate that a known authority signed for its name, and is spoken to in HTTP/1.1', async () => {
  const made = await generate([{ name: 'commonName', value: 'hook.test' }], {
    keyType: 'ec', curve: 'P-256', algorithm: 'sha256', extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'hook.test' }] }],
  });
  let requests = 0;
  const server = createSecureServer({ cert: made.cert, key: made.private, allowHTTP1: true }, (request, response) => { requests += 1; response.end(request.httpVersion); });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  const ask = async (host: string): Promise<string> => {
    await using out = broker(`https://${host}:${port}/`, loopback, { lookup: names(['127.0.0.1']) });
    return await out.fetch({ url: `https://${host}:${port}/`, secrets: { authorization: 'Bearer a long secret' } }).then(({ body }) => body.toString(), (error: unknown) => String(error));
  };
  const authorities = getCACertificates();
  expect(await ask('hook.test')).toMatch(/did not answer: DEPTH_ZERO_SELF_SIGNED_CERT/);
  setDefaultCACertificates([...authorities, made.cert]);
  try {
    expect(await ask('other.test')).toMatch(/did not answer: ERR_TLS_CERT_ALTNAME_INVALID/);
    expect(requests).toBe(0);
    expect(await ask('hook.test')).toBe('1.1');
  } finally {
    setDefaultCACertificates(authorities);
    server.close();
  }
});

test.each([['0.0.0.0', '0.0.0.0/8'], ['[::]', '::/128']])('an allowed %s that leads to this machine is judged by whom the socket met', async (host, network) => {
  let requests = 0;
  await using server = await serveOn((_request, response) => { requests += 1; response.end(); }, '::');
  await using out = broker(`http://${host}:${server.port}/`, [network]);
  await expect(out.fetch({ url: `http://${host}:${server.port}/` })).rejects.toMatchObject({ code: 'outbound.refused', message: expect.stringContaining('not public') });
  expect(requests).toBe(0);
  await expect.poll(() => server.open()).toBe(0);
});

test('a broker that ends takes its connections along', async () => {
  await using server = await serveOn(ok);
  const out = broker(`http://127.0.0.1:${server.port}/`);
  await out.fetch({ url: `http://127.0.0.1:${server.port}/` });
  expect(server.open()).toBe(1);
  await out[Symbol.asyncDispose]();
  await expect.poll(() => server.open()).toBe(0);
  await expect(out.fetch({ url: `http://127.0.0.1:${server.port}/` })).rejects.toMatchObject({ code: 'outbound.failed' });
});

test.each(['127.0.0.1', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '0.0.0.0', '[::1]', '[::]', '127.1', '2130706433', '0x7f.0.0.1', '017700000001', 'localhost', '169.254.169.254', '10.0.0.1', '[64:ff9b::7f00:1]'])(
  '%s is not reached without its network, by name or number', async (host) => {
    await using server = await serveOn(ok, '::');
    await using out = broker(`http://${host}:${server.port}/`, []);
    await expect(out.fetch({ url: `http://${host}:${server.port}/` })).rejects.toMatchObject({ code: 'outbound.refused' });
    expect(server.peers).toEqual([]);
  });

test('a name that means another address the second time leads nowhere (DNS rebinding; streamkit §2.10 #4)', async () => {
  await using server = await serveOn((_request, response) => { response.setHeader('connection', 'close'); response.end('ok'); });
  await using out = broker(`http://hook.test:${server.port}/`, ['127.0.0.2/32'], { lookup: names(['127.0.0.2'], ['127.0.0.1']) });
  expect((await out.fetch({ url: `http://hook.test:${server.port}/` })).status).toBe(200);
  await expect(out.fetch({ url: `http://hook.test:${server.port}/` })).rejects.toMatchObject({ code: 'outbound.refused' });
  expect(server.peers).toEqual(['127.0.0.2']);
});

test('of several addresses of a name only the allowed ones are tried', async () => {
  await using server = await serveOn(ok);
  await using out = broker(`http://hook.test:${server.port}/`, ['127.0.0.2/32'], { lookup: names(['127.0.0.1', '::1', 'fe80::1%lo', 'nonsense', '10.0.0.1', '127.0.0.2']) });
  expect((await out.fetch({ url: `http://hook.test:${server.port}/` })).status).toBe(200);
  expect(server.peers).toEqual(['127.0.0.2']);
});

test('one rule’s way into its network carries no request of another rule', async () => {
  await using server = await serveOn(ok);
  const lookup = names(['127.0.0.1']);
  await using out = new OutboundBroker({ rules: [{ url: `http://a.test:${server.port}/in/*`, networks: loopback }, { url: `http://a.test:${server.port}/` }], lookup });
  expect((await out.fetch({ url: `http://a.test:${server.port}/in/x` })).status).toBe(200);
  await expect(out.fetch({ url: `http://a.test:${server.port}/out` })).rejects.toMatchObject({ code: 'outbound.refused' });
});

test('a redirect is not followed, whatever its number', async () => {
  let hits = 0;
  await using server = await serveOn((request, response) => {
    hits += 1;
    response.writeHead(Number(request.url?.slice(1)), { location: 'http://169.254.169.254/latest/meta-data/' }).end();
  });
  const statuses = [300, 301, 302, 303, 304, 307, 308, 399];
  await using out = broker(`http://127.0.0.1:${server.port}/*`);
  for (const status of statuses) {
    await expect(out.fetch({ url: `http://127.0.0.1:${server.port}/${status}` })).rejects.toMatchObject({ code: 'outbound.refused', message: expect.stringContaining(`redirect (${status})`) });
  }
  expect(hits).toBe(statuses.length);
  for (const status of [200, 299, 400, 404, 500, 599]) expect((await out.fetch({ url: `http://127.0.0.1:${server.port}/${status}` })).status).toBe(status);
});

test('a huge, an endless and a silent answer end at their limits', async () => {
  await using server = await serveOn((request, response) => {
    if (request.url === '/huge') response.end(Buffer.alloc(3 << 20));
    if (request.url === '/endless') { const more = (): void => { if (!response.destroyed) response.write(Buffer.alloc(65_536), more); }; more(); }
    if (request.url === '/drip') { const drip = setInterval(() => response.write('.'), 50); response.on('close', () => clearInterval(drip)); }
  });
  await using out = broker(`http://127.0.0.1:${server.port}/*`, loopback, { limits: { responseBytes: 1 << 20, totalMs: 700 } });
  for (const path of ['huge', 'endless', 'drip', 'silent']) {
    const started = performance.now();
    const message = path === 'drip' || path === 'silent' ? 'did not answer within 0.7 s' : 'more than 1048576 bytes';
    await expect(out.fetch({ url: `http://127.0.0.1:${server.port}/${path}` }), path).rejects.toMatchObject({ code: 'outbound.failed', message: expect.stringContaining(message) });
    expect(performance.now() - started, path).toBeLessThan(5_000);
  }
});

test('huge headers, broken answers and closed ports are failures of the other side', async () => {
  const raw = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(100_000)}\r\n\r\n`);
  });
  raw.listen(0, '127.0.0.1');
  await once(raw, 'listening');
  const bound = raw.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  await using out = new OutboundBroker({ rules: [{ url: `http://127.0.0.1:${port}/`, networks: loopback }, { url: 'http://127.0.0.1:1/', networks: loopback }] });
  await expect(out.fetch({ url: `http://127.0.0.1:${port}/` })).rejects.toMatchObject({ code: 'outbound.failed' });
  await expect(out.fetch({ url: 'http://127.0.0.1:1/' })).rejects.toMatchObject({ code: 'outbound.failed', message: expect.stringMatching(/^127.0.0.1:1 did not answer: ECONNREFUSED \S/) });
  raw.close();
});

test('a secret goes out and never comes back (streamkit §2.10 #4)', async () => {
  const secret = 'tok3n/with+signs==';
  await using server = await serveOn((request, response) => {
    const value = String(request.headers['authorization']);
    response.setHeader('x-echo', value);
    response.setHeader('x-echo-base64', Buffer.from(`a${secret}`).toString('base64'));
    response.end(`${value} ${encodeURIComponent(secret)} ${request.headers['authorization'] === `Bearer ${secret}`}`);
  });
  await using out = broker(`http://127.0.0.1:${server.port}/*`);
  const url = `http://127.0.0.1:${server.port}/`;
  const reply = await out.fetch({ url, secrets: { authorization: `Bearer ${secret}` } });
  const all = `${JSON.stringify(reply.headers)} ${reply.body.toString()}`;
  expect(all).toContain('true');
  for (const form of [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64').slice(4, 16)]) expect(all).not.toContain(form);
  await expect(out.fetch({ url, headers: { Authorization: 'mine' }, secrets: { authorization: `Bearer ${secret}` } })).rejects.toMatchObject({ code: 'outbound.refused' });
  const failing = await out.fetch({ url, secrets: { authorization: `Bearer ${secret}\r\nx: y` } }).catch((error: unknown) => error);
  expect(failing).toMatchObject({ code: 'outbound.failed' });
  expect(String(failing)).not.toContain(secret);
});

test('a secret that could not be kept out of replies is not sent, and one of bytes is', async () => {
  await using server = await serveOn((request, response) => response.end(`${request.headers['x-key'] === 'bytes of a key'} ${request.headers['x-key']}`));
  await using out = broker(`http://127.0.0.1:${server.port}/`);
  const ask = (secrets: Record<string, string | Secret>) => out.fetch({ url: `http://127.0.0.1:${server.port}/`, secrets });
  expect((await ask({ 'X-Key': new Secret(Buffer.from('bytes of a key')) })).body.toString()).toBe('true [redacted]');
  await expect(ask({ 'x-key': 'short' })).rejects.toMatchObject({ code: 'config.invalid', message: expect.stringContaining('too short') });
  await expect(ask({ [`x-${'y'.repeat(5_000)}`]: 'short' })).rejects.toSatisfy((error: Error) => error.message.length < 500);
  for (const name of ['Host', 'cookie', 'x-forwarded-for']) await expect(ask({ [name]: 'a long enough secret' })).rejects.toMatchObject({ code: 'outbound.refused', message: expect.stringContaining('can not be set') });
  expect(server.peers).toHaveLength(1);
});

test.each(['host', 'Connection', 'content-length', 'Transfer-Encoding', 'cookie', 'x-forwarded-for', 'proxy-authorization', 'upgrade', 'expect'])('the header %s can not be set', async (name) => {
  await using out = broker('http://127.0.0.1:9/');
  await expect(out.fetch({ url: 'http://127.0.0.1:9/', headers: { [name]: 'x' } })).rejects.toMatchObject({ code: 'outbound.refused', message: expect.stringContaining(name) });
});

test('no more run at once than may, the rest wait in a bounded line, and a burst is limited', async () => {
  let now = 0;
  let most = 0;
  await using server = await serveOn((_request, response) => {
    most = Math.max(most, now += 1);
    setTimeout(() => { now -= 1; response.end('ok'); }, 50);
  });
  await using out = broker(`http://127.0.0.1:${server.port}/`, loopback, { limits: { concurrent: 2, waiting: 4, rate: { limit: 12, periodSeconds: 3_600 } } });
  const ask = () => out.fetch({ url: `http://127.0.0.1:${server.port}/` }).then(({ status }) => status, (error: unknown) => (error as { code: string }).code);
  const answers = await Promise.all(Array.from({ length: 10 }, ask));
  expect([200, 'rate.exceeded'].map((one) => answers.filter((answer) => answer === one).length)).toEqual([6, 4]);
  expect(most).toBe(2);
  expect([await ask(), await ask(), await ask()]).toEqual([200, 200, 'rate.exceeded']);
});

test('who gives up, waiting or running, leaves his place to others', async () => {
  await using server = await serveOn((request, response) => { if (request.url === '/ok') response.end('ok'); });
  await using out = broker(`http://127.0.0.1:${server.port}/*`, loopback, { limits: { concurrent: 1 } });
  const running = new AbortController();
  const waiting = new AbortController();
  const first = out.fetch({ url: `http://127.0.0.1:${server.port}/hang`, signal: running.signal });
  const second = out.fetch({ url: `http://127.0.0.1:${server.port}/ok`, signal: waiting.signal });
  const third = out.fetch({ url: `http://127.0.0.1:${server.port}/ok` });
  await wait(50);
  await expect(out.fetch({ url: `http://127.0.0.1:${server.port}/ok`, signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
  waiting.abort();
  await expect(second).rejects.toMatchObject({ name: 'AbortError' });
  running.abort();
  await expect(first).rejects.toMatchObject({ name: 'AbortError' });
  expect((await third).status).toBe(200);
});

test('who waits for too long has waited for the one before him, and is told the time', async () => {
  await using server = await serveOn(() => undefined);
  await using out = broker(`http://127.0.0.1:${server.port}/`, loopback, { limits: { concurrent: 1, totalMs: 200 } });
  const ask = () => out.fetch({ url: `http://127.0.0.1:${server.port}/` });
  for (const answer of await Promise.allSettled([ask(), ask(), ask()])) {
    expect(answer).toMatchObject({ reason: { code: 'outbound.failed', message: `127.0.0.1:${server.port} did not answer within 0.2 s.` } });
  }
});

/** Ways to write this machine, its neighbours and the servers of clouds that lists of such tricks hold. A rule for exactly that spelling opens nothing: an address has to be public, or in a network that the rule names. */
test.each([
  '127.0.0.1', '127.1', '127.0.1', '127.127.127.127', '2130706433', '0x7f000001', '0x7f.0x0.0x0.0x1', '0x7F.1', '017700000001', '0177.0.0.01', '0177.1', '00000177.0.0.1', '127.0.0.1.', '127。0。0。1', '１２７.0.0.1', '①②⑦.⓪.⓪.①', '127.0.0.1%00', '%31%32%37.0.0.1', '127%2e0%2e0%2e1', '0', '0.0.0.0', '00', '0x0', '255.255.255.255', '4294967295',
  '[::1]', '[0:0:0:0:0:0:0:1]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[0:0:0:0:0:ffff:127.0.0.1]', '[::127.0.0.1]', '[::ffff:0:127.0.0.1]', '[64:ff9b::7f00:1]', '[64:ff9b:1::7f00:1]', '[2002:7f00:1::]', '[2001:0:7f00:1::]', '[fe80::1]', '[fe80::1%25lo]', '[fe80::1%lo]', '[fc00::1]', '[fd00:ec2::254]', '[ff02::1]', '[fec0::1]', '[5f00::1]',
  '169.254.169.254', '2852039166', '0xa9fea9fe', '0251.0376.0251.0376', '[::ffff:a9fe:a9fe]', '100.100.100.200', '192.0.0.192', '10.0.0.1', '172.16.0.1', '192.168.0.1', '100.64.0.1', '198.18.0.1', '192.0.2.1', '224.0.0.1', '240.0.0.1', '192.88.99.1',
  'localhost', 'LOCALHOST', 'localhost.', 'ｌocalhost', 'localhost%00', 'printer.local', 'metadata', '127.0.0.1.nip.io', 'user@127.0.0.1', '127.0.0.1:80@127.0.0.1', '127.0.0.1\\@a.example', '127.0.0.1#@a.example', ' 127.0.0.1', '127.0.0.1\t', '12\n7.0.0.1', '', '.', '..', '%', '[', '[]', '[::1', '::1', '[::1].', '0x', '0x7g.1', '1.1.1.256', '1.2.3.4.5',
])('RFC 6890, WHATWG URL §3.5: http://%s leads nowhere', async (host) => {
  await using server = await serveOn(ok);
  const url = `http://${host}:${server.port}/`;
  const refusal = async (): Promise<unknown> => {
    try {
      // Whatever is a name means this machine.
      await using out = broker(url, [], { lookup: names(['127.0.0.1']) });
      return await out.fetch({ url });
    } catch (error) {
      return error;
    }
  };
  expect(await refusal(), 'there is no such rule, or it reaches nothing').toMatchObject({ code: expect.stringMatching(/^(?:config\.invalid|outbound\.refused)$/) });
  expect(server.peers).toEqual([]);
});

test.each([
  '127.0.0.1', '0.0.0.0', '10.0.0.1', '100.64.0.1', '169.254.169.254', '172.31.255.255', '192.0.0.1', '192.0.0.170', '192.0.2.1', '192.88.99.1', '192.168.1.1', '198.18.0.1', '198.51.100.1', '203.0.113.1', '224.0.0.251', '240.0.0.1', '255.255.255.255', '::1', '::', '::ffff:127.0.0.1', '::ffff:7f00:1', '::127.0.0.1', '64:ff9b::7f00:1', '64:ff9b:1::1', '100::1', '2001::1', '2001:2::1', '2001:10::1',
  '2001:20::1', '2001:db8::1', '2002:7f00:1::1', '2620:4f:8000::1', '3fff::1', '5f00::1', 'fc00::1', 'fd00:ec2::254', 'fe80::1', 'fe80::1%lo', 'ff02::1', '127.1', '0x7f000001', '', 'rubbish',
])('RFC 6890: a name that means %s leads nowhere, alone or among others', async (address) => {
  await using server = await serveOn(ok);
  await using out = broker(`http://api.example.org:${server.port}/*`, [], { lookup: names([address], [address, '127.0.0.1'], ['::1', address]) });
  for (let time = 0; time < 3; time += 1) await expect(out.fetch({ url: `http://api.example.org:${server.port}/` })).rejects.toMatchObject({ code: 'outbound.refused' });
  expect(server.peers).toEqual([]);
});
