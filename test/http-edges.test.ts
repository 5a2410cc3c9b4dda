/** The edges of HTTP: ranges, bodies, paths, headers, spellings of a name; and what absent things may tell. */
import { createHash, randomBytes } from 'node:crypto';
import net from 'node:net';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { base16upper } from 'multiformats/bases/base16';
import { base32, base32upper } from 'multiformats/bases/base32';
import { base36 } from 'multiformats/bases/base36';
import { base58btc } from 'multiformats/bases/base58';
import { base64url } from 'multiformats/bases/base64';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { send, sendBytes, type RawReply, type RawRequest } from './support/raw-http.ts';
import { StoredState } from './support/state.ts';
import { startWeir, type Client, type TestWeir } from './support/weir.ts';

const mostUploaded = 4_000_000;
const film = randomBytes(2_600_000);
let weir: TestWeir;
let alice: Client;
let bob: Client;
let cid = '';
let state: StoredState;

beforeAll(async () => {
  weir = await startWeir({ environment: { WEIR_CONTENT__MAX_UPLOAD_BYTES: String(mostUploaded), WEIR_FLEET__ENABLED: 'false' } });
  [alice, bob] = [await weir.principal('alice', 'user'), await weir.principal('bob', 'user')];
  cid = await alice.upload(film, 'film.bin');
  const admin = await weir.admin();
  // The clip that a new instance takes in by itself.
  while ((await admin.json<{ items: unknown[] }>('GET', '/api/v1/library')).items.length === 0) await wait(25);
  state = new StoredState(weir.dataPath);
});
afterAll(async () => {
  state[Symbol.dispose]();
  await weir[Symbol.asyncDispose]();
});

const ask = (request: RawRequest, who: Client = alice): Promise<RawReply> => send(weir.url, { ...request, headers: { ...who.evidence(), ...request.headers } });
const read = (headers: Record<string, string>, method = 'GET', name = cid): Promise<RawReply> => ask({ method, target: `/api/v1/content/${name}`, headers });
const code = (reply: RawReply): string => (JSON.parse(reply.text) as { error: { code: string } }).error.code;

function expectErrorForm(reply: RawReply): void {
  const { error } = JSON.parse(reply.text) as { error: Record<string, unknown> };
  expect(error).toMatchObject({ code: expect.any(String), message: expect.any(String), request_id: expect.any(String) });
  expect(String(error['message'])).not.toMatch(/node_modules|\.ts:|at Object|SQLITE/);
  expect(reply.headers['content-type']).toContain('application/json');
}

test.each([
  ['bytes=0-0', 0, 1], ['bytes=0-', 0, film.length], ['bytes=1048576-1048577', 1_048_576, 1_048_578], ['bytes=16383-16384', 16_383, 16_385], ['bytes=-1', film.length - 1, film.length],
  ['bytes=-99999999', 0, film.length], ['bytes=2599999-99999999999999999999', 2_599_999, film.length], [`bytes=${film.length - 1}-`, film.length - 1, film.length], ['Bytes = 0-1', undefined, undefined],
])('range %s', async (range, start, end) => {
  const reply = await read({ range });
  if (start === undefined) {
    expect([reply.status, reply.body.length]).toEqual([200, film.length]);
    return;
  }
  expect(reply.status).toBe(206);
  expect(reply.headers['content-range']).toBe(`bytes ${start}-${(end ?? 0) - 1}/${film.length}`);
  expect(Number(reply.headers['content-length'])).toBe(reply.body.length);
  expect(reply.body.equals(film.subarray(start, end))).toBe(true);
});

test('several ranges come as parts, each with its own range', async () => {
  const reply = await read({ range: 'bytes=0-9, 1048570-1048590, -5' });
  expect(reply.status).toBe(206);
  const boundary = /boundary=(\S+)/.exec(reply.headers['content-type'] ?? '')?.[1] ?? '';
  expect(Number(reply.headers['content-length'])).toBe(reply.body.length);
  const parts = reply.body.toString('latin1').split(`--${boundary}`).slice(1, -1);
  const bodies = parts.map((part) => Buffer.from(part.slice(part.indexOf('\r\n\r\n') + 4).replace(/\r\n$/, ''), 'latin1'));
  expect(bodies.map((part) => part.toString('hex'))).toEqual([film.subarray(0, 10), film.subarray(1_048_570, 1_048_591), film.subarray(-5)].map((part) => part.toString('hex')));
  expect(parts.map((part) => /content-range: (.*)\r\n/.exec(part)?.[1])).toEqual([`bytes 0-9/${film.length}`, `bytes 1048570-1048590/${film.length}`, `bytes ${film.length - 5}-${film.length - 1}/${film.length}`]);
  // Overlapping, too many, or of no form: the whole, which costs no more.
  for (const range of ['bytes=0-100,50-150', `bytes=${Array.from({ length: 40 }, (_, index) => `${index * 2}-${index * 2}`).join(',')}`, 'bytes=a-b', 'bytes=5-1', 'items=0-1', 'bytes=']) {
    expect([(await read({ range })).status, range]).toEqual([200, range]);
  }
});

test('a range beyond the end is 416 with the size', async () => {
  for (const range of [`bytes=${film.length}-`, 'bytes=99999999-99999999', 'bytes=-0']) {
    const reply = await read({ range });
    expect(reply.status).toBe(416);
    expect(reply.headers['content-range']).toBe(`bytes */${film.length}`);
    expect(code(reply)).toBe('content.range');
  }
});

test('If-Range and If-None-Match go by the entity tag', async () => {
  const etag = (await read({}, 'HEAD')).headers.etag ?? '';
  expect(etag).toMatch(/^"[^"]+"$/);
  expect((await read({ range: 'bytes=0-9', 'if-range': etag })).status).toBe(206);
  for (const other of ['"other"', `W/${etag}`, 'Sun, 22 Nov 2026 17:00:00 GMT']) expect((await read({ range: 'bytes=0-9', 'if-range': other })).status).toBe(200);
  for (const same of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
    const reply = await read({ 'if-none-match': same });
    expect([reply.status, reply.body.length]).toEqual([304, 0]);
  }
  expect((await read({ 'if-none-match': '"other"' })).status).toBe(200);
  // The tag of what is not public does not say what it is.
  expect(etag).not.toContain(cid);
  expect((await ask({ target: `/api/v1/content/${cid}`, headers: { 'if-none-match': etag } }, bob)).status).toBe(404);
});

test('HEAD says what GET would, and sends nothing', async () => {
  for (const headers of [{}, { range: 'bytes=5-9' }, { range: 'bytes=0-1,5-9' }]) {
    const [head, get] = [await read(headers, 'HEAD'), await read(headers)];
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([get.status, get.headers['content-length'], 0]);
  }
});

test('one file as multipart/form-data is the same content as its bytes; anything else in the form is refused', async () => {
  const before = state.rows('select count(*) as count from holding')[0]?.['count'];
  const form = (parts: string, boundary = 'xYzZY'): Promise<RawReply> => ask({ method: 'POST', target: '/api/v1/content', headers: { 'content-type': `multipart/form-data; boundary=${boundary}` }, body: parts });
  const file = (name: string, bytes: string, field = 'file'): string => `--xYzZY\r\ncontent-disposition: form-data; name="${field}"; filename="${name}"\r\ncontent-type: text/plain\r\n\r\n${bytes}\r\n`;
  const reply = await form(`${file('note.txt', 'hello form')}--xYzZY--\r\n`);
  expect(reply.status).toBe(201);
  expect((JSON.parse(reply.text) as { cid: string }).cid).toBe(await alice.upload(Buffer.from('hello form')));
  const refused = [
    `${file('a', '1')}${file('b', '2')}--xYzZY--\r\n`, '--xYzZY\r\ncontent-disposition: form-data; name="text"\r\n\r\nno file\r\n--xYzZY--\r\n', '--xYzZY--\r\n', '', 'garbage',
    file('a', 'never closed'), `--other\r\n\r\n--other--\r\n`, `${'--xYzZY\r\n'}${'x: y\r\n'.repeat(5_000)}\r\n`,
  ];
  for (const body of refused) {
    const answer = await form(body);
    expect([400, 413], body.slice(0, 60)).toContain(answer.status);
    expectErrorForm(answer);
  }
  expect((await form('x', '')).status).toBe(400);
  expect(state.rows('select count(*) as count from holding')[0]?.['count']).toBe(Number(before) + 1);
});

test('an upload that breaks off, is shorter or longer than it says, or too large leaves nothing', async () => {
  const before = state.digest();
  const blobs = await blobCount();
  const { hostname, port } = new URL(weir.url);
  const head = (length: string): string => `POST /api/v1/content HTTP/1.1\r\nhost: ${hostname}:${port}\r\nauthorization: ${alice.evidence()['authorization'] ?? ''}\r\ncontent-type: application/octet-stream\r\n${length}\r\n`;
  const socket = net.connect(Number(port), hostname);
  socket.on('error', () => undefined);
  socket.write(head('content-length: 3000000\r\n'));
  socket.write(randomBytes(1_500_000));
  await wait(200);
  socket.destroy();
  const chunked = net.connect(Number(port), hostname);
  chunked.on('error', () => undefined);
  chunked.write(`${head('transfer-encoding: chunked\r\n')}5\r\nhello\r\n`);
  await wait(100);
  chunked.destroy();
  expect(await sendBytes(weir.url, `${head('content-length: 5\r\ncontent-length: 6\r\n')}hello`)).toMatch(/^HTTP\/1\.1 400/);
  expect(await sendBytes(weir.url, `${head('content-length: 5\r\ntransfer-encoding: chunked\r\n')}0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400/);
  expect(await sendBytes(weir.url, `${head('content-length: -5\r\n')}hello`)).toMatch(/^HTTP\/1\.1 400/);
  expect(await sendBytes(weir.url, `${head('transfer-encoding: chunked\r\n')}zz\r\nhello`)).toMatch(/^HTTP\/1\.1 400|^$/);
  // Announced as too large: refused before a byte of it is read.
  const early = await sendBytes(weir.url, head(`content-length: ${mostUploaded + 1}\r\n`), 3_000);
  expect(early).toMatch(/^HTTP\/1\.1 413/);
  const large = await ask({ method: 'POST', target: '/api/v1/content', headers: { 'content-type': 'application/octet-stream', 'transfer-encoding': 'chunked' }, body: randomBytes(mostUploaded + 1) }).catch(() => undefined);
  if (large !== undefined) expect(large.status).toBe(413);
  await expect.poll(async () => [state.digest() === before, await blobCount(), (await readdir(path.join(weir.dataPath, 'uploads'))).length], { timeout: 5_000 }).toEqual([true, blobs, 0]);
});

test('a JSON body over its limit is refused before it is read, and one that is no plain message is 400 (streamkit §2.10 #2)', async () => {
  const before = state.digest();
  const { hostname, port } = new URL(weir.url);
  const answered = await sendBytes(weir.url, `POST /api/v1/tokens HTTP/1.1\r\nhost: ${hostname}:${port}\r\nauthorization: ${alice.evidence()['authorization'] ?? ''}\r\ncontent-type: application/json\r\ncontent-length: 2000000\r\n\r\n`, 3_000);
  expect(answered).toMatch(/^HTTP\/1\.1 413/);
  const json = (body: string | Uint8Array, type = 'application/json', target = '/api/v1/tokens'): Promise<RawReply> => ask({ method: 'POST', target, headers: { 'content-type': type }, body });
  const bad = [
    '', '{', 'null', '[]', '1', '"x"', '{"expires_in":60,"unknown":1}', '{"__proto__":{"role":"admin"}}', '{"constructor":{"prototype":{}}}', '{"expires_in":"60"}', '{"expires_in":1e400}',
    '{"expires_in":60.5}', '{"expires_in":-1}', '{"permissions":["x","x y"]}', `{"permissions":${JSON.stringify(Array.from({ length: 101 }, () => 'read_content'))}}`, `${'['.repeat(100_000)}`, `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`,
    `{"role":"${'a'.repeat(900_000)}"}`, '{"expires_in":60}x', '\u{feff}{"expires_in":60}', '{"expires_in":60,}', "{'expires_in':60}", '{"expires_in":NaN}', '{"expires_in":60,"expires_in":60}', '{"expires_in":60,"\\u0065xpires_in":61}', '{"role":"\\ud800"}', '{"expires_in":60}\0',
  ];
  for (const body of bad) {
    const reply = await json(body);
    expect([reply.status, body.slice(0, 40)]).toEqual([400, body.slice(0, 40)]);
    expectErrorForm(reply);
    expect(reply.text.length).toBeLessThan(3_000);
  }
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'application/jsonp', '']) expect((await json('{"expires_in":60}', type)).status, type).toBe(400);
  expect((await json(Buffer.from('7b2265787069726573ff3a36307d', 'hex'))).status).toBe(400);
  expect((await json('x', 'application/json', '/api/v1/tokens?' + 'x'.repeat(9_000))).status).toBe(400);
  expect(({} as Record<string, unknown>)['role']).toBeUndefined();
  expect(state.digest()).toBe(before);
  // Where no body belongs, one is refused.
  expect((await ask({ method: 'GET', target: '/api/v1/permissions', headers: { 'content-length': '1' }, body: 'x' })).status).toBe(400);
});

test('a refused request ends its connection when its body has still to come, and only then', async () => {
  const { host } = new URL(weir.url);
  const head = (length: number): string => `POST /api/v1/tokens HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer x.y.z\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;
  const last = `GET /healthz HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`;
  const statuses = (answer: string): string[] => [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status ?? '');
  expect(statuses(await sendBytes(weir.url, `${head(2)}{}${last}`))).toEqual(['401', '200']);
  const cut = await sendBytes(weir.url, `${head(500_000)}{}`, 3_000);
  expect(statuses(cut)).toEqual(['401']);
  expect(cut).toMatch(/\r\nconnection: close\r\n/i);
  // Without a body there is nothing to end for.
  expect(statuses(await sendBytes(weir.url, `GET /api/v1/status HTTP/1.1\r\nhost: ${host}\r\n\r\n${last}`))).toEqual(['401', '200']);
});

test('methods and addresses that are not there answer in the form of errors', async () => {
  const before = state.digest();
  for (const [method, target] of [
    ['POST', '/api/v1/nothing'], ['GET', '/api/v1/nothing'], ['GET', '/api'], ['DELETE', '/'], ['PUT', '/library'], ['PATCH', '/api/v1/content'], ['OPTIONS', '/api/v1/content'], ['TRACE', '/api/v1/content'],
    ['DELETE', '/api/v1/status'], ['POST', '/healthz'], ['PUT', `/api/v1/content/${cid}`], ['GET', '/auth/nothing'], ['GET', '/.well-known/security.txt'], ['GET', '/assets/nothing.js'], ['GET', '/ipfs/x'],
  ] as const) {
    const reply = await ask({ method, target });
    expect([404, 405], `${method} ${target}`).toContain(reply.status);
    expectErrorForm(reply);
  }
  const wrong = await ask({ method: 'PUT', target: `/api/v1/content/${cid}` });
  expect([wrong.status, wrong.headers['allow']]).toEqual([405, 'GET, HEAD, DELETE']);
  expect((await ask({ method: 'PUT', target: '/api/v1/nothing' })).status).toBe(404);
  expect(state.digest()).toBe(before);
});

test('tricks with the path reach no other route and no file', async () => {
  const before = state.digest();
  for (const target of [
    '//api/v1/permissions', '/api//v1/permissions', '/api/v1/permissions/', '/API/V1/permissions', '/api/v1/%70ermissions/..', '/api/v1/../v1/audit', '/api/v1/content/..%2f..%2fpermissions', '/api/v1/content/%2e%2e/permissions',
    '/api/v1/content/%00', `/api/v1/content/${cid}%00`, `/api/v1/content/${cid}%2f..`, `/api/v1/content/${cid}%0d%0aset-cookie:x`, '/api/v1/content/%ff', '/api/v1/content/%', '/api/v1/content/%zz', `/api/v1/content/${'a'.repeat(5_000)}`,
    '/../../../../etc/passwd', '/assets/../../../package.json', '/assets/..%2f..%2f..%2fpackage.json', '/%2e%2e/%2e%2e/etc/passwd', '/etc/passwd%00.html', '/index.html/../../weir.db', '/\\..\\..\\etc\\passwd', '/api/v1/content/__proto__', '/api/v1/library/constructor',
  ]) {
    const reply = await ask({ target });
    expect([400, 404, 414], target).toContain(reply.status === 200 && /text\/html/.test(String(reply.headers['content-type'])) ? 404 : reply.status);
    expect(reply.text, target).not.toMatch(/root:|"workspaces"|SQLite format/);
    expect(reply.headers['set-cookie'], target).toBeUndefined();
  }
  for (const target of ['http://evil.example/api/v1/permissions', '*', 'api/v1/permissions', '@evil.example/']) {
    const answer = await sendBytes(weir.url, `GET ${target} HTTP/1.1\r\nhost: ${new URL(weir.url).host}\r\nconnection: close\r\n\r\n`, 2_000);
    expect(answer, target).not.toMatch(/^HTTP\/1\.1 5/);
    expect(answer, target).not.toContain('"principal"');
  }
  expect(state.digest()).toBe(before);
});

test('floods of headers are refused, and nothing waits for slow ones for long', async () => {
  const { host } = new URL(weir.url);
  expect(await sendBytes(weir.url, `GET /healthz HTTP/1.1\r\nhost: ${host}\r\nx: ${'a'.repeat(40_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431/);
  expect(await sendBytes(weir.url, `GET /healthz HTTP/1.1\r\nhost: ${host}\r\n${Array.from({ length: 3_000 }, (_, index) => `x${index}: yyyyyyyy\r\n`).join('')}\r\n`)).toMatch(/^HTTP\/1\.1 431/);
  expect(await sendBytes(weir.url, `GET /healthz?${'a'.repeat(40_000)} HTTP/1.1\r\nhost: ${host}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 4(14|31)/);
  for (const line of ['GET /healthz HTTP/1.1\r\n\r\n', `GET /healthz HTTP/1.1\r\nhost: ${host}\r\nhost: evil.example\r\n\r\n`, `GET /healthz HTTP/9.9\r\nhost: ${host}\r\n\r\n`, 'garbage\r\n\r\n', `GET /healthz HTTP/1.1\r\nhost: ${host}\r\nx y: z\r\n\r\n`]) {
    expect(await sendBytes(weir.url, line), line).toMatch(/^HTTP\/1\.1 4/);
  }
  const begun = performance.now();
  // Headers that never end: the server ends the connection by itself.
  const slow = net.connect(Number(new URL(weir.url).port), '127.0.0.1');
  slow.on('error', () => undefined);
  slow.write(`GET /healthz HTTP/1.1\r\nhost: ${host}\r\n`);
  const dripping = setInterval(() => slow.write('x: y\r\n'), 500);
  await new Promise((resolve) => { slow.resume().once('close', resolve); });
  clearInterval(dripping);
  expect(performance.now() - begun).toBeLessThan(28_000);
  expect((await ask({ target: '/healthz' })).status).toBe(200);
}, 40_000);

test('every spelling of a CID meets the same policy', async () => {
  const bytes = base32.decode(cid);
  const asRaw = cid.startsWith('bafk');
  const digest = bytes.subarray(4);
  const spellings = [cid, base32upper.encode(bytes), base16upper.encode(bytes), base36.encode(bytes), base58btc.encode(bytes), base64url.encode(bytes)];
  if (!asRaw) spellings.push(base58btc.encode(Uint8Array.of(0x12, 0x20, ...digest)).slice(1));
  for (const name of spellings) {
    expect([(await read({ range: 'bytes=0-0' }, 'GET', name)).status, name]).toEqual([206, name]);
    for (const other of [bob, weir.anonymous]) expect([401, 404], name).toContain((await ask({ target: `/api/v1/content/${name}` }, other)).status);
  }
  await alice.json('PUT', `/api/v1/policies/${spellings[3] ?? ''}`, { level: 'public' });
  for (const name of spellings) expect((await ask({ target: `/api/v1/content/${name}`, headers: { range: 'bytes=0-0' } }, weir.anonymous)).status, name).toBe(206);
  await alice.json('PUT', `/api/v1/policies/${spellings[1] ?? ''}`, { level: 'private' });
  for (const name of spellings) expect([401, 404], name).toContain((await ask({ target: `/api/v1/content/${name}` }, bob)).status);
  const wrong = [`Z${cid.slice(1)}`, `${cid} `, cid.slice(0, -1), `${cid}a`, createHash('sha256').update(film).digest('hex'), 'Qm', base32.encode(Uint8Array.of(1, 0x55, 0, 1, 65)), base32.encode(Uint8Array.of(1, 0x55, 0x12, 16, ...digest.subarray(0, 16))), base32.encode(Uint8Array.of(1, 0x71, 0x12, 32, ...digest)), base32.encode(Uint8Array.of(0x81, 0, 0x55, 0x12, 32, ...digest))];
  for (const name of wrong) {
    const reply = await ask({ target: `/api/v1/content/${encodeURIComponent(name)}` });
    expect([reply.status, code(reply), name]).toEqual([400, 'content.id', name]);
  }
});

test('a grant with uses opens so many readings, and no more when they race', async () => {
  const { url } = await alice.json<{ url: string }>('POST', '/api/v1/grants', { cid, uses: 3 });
  const target = new URL(url).pathname + new URL(url).search;
  const replies = await Promise.all(Array.from({ length: 12 }, () => send(weir.url, { target, headers: { range: 'bytes=0-9' } })));
  expect(replies.filter(({ status }) => status === 206)).toHaveLength(3);
  expect(replies.filter(({ status }) => status === 403)).toHaveLength(9);
  const cookie = replies.find(({ status }) => status === 206)?.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
  // A player goes on under the cookie of its opening; the cookie is good for that link alone.
  expect((await send(weir.url, { target, headers: { range: 'bytes=10-19', cookie } })).status).toBe(206);
  const other = new URL((await alice.json<{ url: string }>('POST', '/api/v1/grants', { cid, uses: 1 })).url);
  expect((await send(weir.url, { target: other.pathname + other.search, headers: { cookie } })).status).toBe(200);
  expect((await send(weir.url, { target: other.pathname + other.search, headers: { cookie } })).status).toBe(403);
  expect((await send(weir.url, { target: new URL(url).pathname, headers: { cookie } })).status).not.toBe(200);
});

test('file names of any alphabet come back as they were, and carry nothing into headers', async () => {
  for (const name of ['夏の映画.mp4', 'naïve – “quoted”.mov', '🎬.webm', 'a\r\nset-cookie: x=1', '../../etc/passwd', 'a\u202Egpj.exe', '"; filename="evil.html', 'x'.repeat(200)]) {
    const reply = await ask({ method: 'POST', target: `/api/v1/content?filename=${encodeURIComponent(name)}`, headers: { 'content-type': 'application/octet-stream' }, body: randomBytes(50) });
    expect(reply.status, name).toBe(201);
    const made = (JSON.parse(reply.text) as { cid: string }).cid;
    const got = await read({}, 'GET', made);
    const disposition = String(got.headers['content-disposition']);
    expect(got.headers['set-cookie']).toBeUndefined();
    expect(disposition).toMatch(/^attachment; filename="[ -~]*"; filename\*=UTF-8''[A-Za-z0-9%._~-]*$/);
    expect(disposition.split('"')).toHaveLength(3);
    const back = decodeURIComponent(/UTF-8''(.*)$/.exec(disposition)?.[1] ?? '');
    expect(back).toBe(name.replace(/[\r\n\u202E]/g, '').replace(/[/\\]/g, '_').slice(0, 150));
  }
  for (const name of ['', 'x'.repeat(201)]) expect((await ask({ method: 'POST', target: `/api/v1/content?filename=${name}`, headers: { 'content-type': 'application/octet-stream' }, body: 'x' })).status).toBe(400);
});

test('HTML, SVG, XML and script are never served as anything that runs', async () => {
  const active = [
    '<!doctype html><script>alert(1)</script>', '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><script/></html>', 'alert(1)//', '<html>', '%PDF-1.4 <script>',
    '\ufeff<svg/>', 'GIF89a/*<script>*/=1', '{"a":"<script>"}',
  ];
  for (const text of active) {
    const reply = await ask({ method: 'POST', target: '/api/v1/content?filename=page.html', headers: { 'content-type': 'text/html' }, body: text });
    const { cid: made } = JSON.parse(reply.text) as { cid: string };
    for (const target of [`/api/v1/content/${made}`, `/api/v1/content/${made}?download=1`]) {
      const got = await ask({ target, headers: { accept: 'text/html' } });
      expect(got.text).toBe(text);
      expect(String(got.headers['content-type']), text).not.toMatch(/html|svg|xml|javascript|ecmascript/i);
      expect(got.headers['x-content-type-options']).toBe('nosniff');
      expect((await weir.anonymous.fetch('/healthz')).headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'");
      expect(got.headers['content-security-policy']).toBe("sandbox; default-src 'none'");
      expect(got.headers['cross-origin-resource-policy']).toBe('same-origin');
    }
  }
});

test('an absent and a foreign object answer the same, to strangers and to users', async () => {
  const foreign = { cid: await alice.upload(randomBytes(500)), grant: '', job: '', token: '', session: '', library: '' };
  foreign.library = (await alice.json<{ items: { library_id: string }[] }>('GET', '/api/v1/library?limit=1')).items[0]?.library_id ?? '';
  foreign.grant = (await alice.json<{ grant_id: string }>('POST', '/api/v1/grants', { cid: foreign.cid })).grant_id;
  foreign.token = (await alice.json<{ jti: string }>('POST', '/api/v1/tokens', {})).jti;
  const absent = { cid: base32.encode(Uint8Array.of(1, 0x55, 0x12, 32, ...randomBytes(32))), id: '01J00000000000000000000000' };
  const pairs: [string, string, string][] = [
    ['GET', `/api/v1/content/${foreign.cid}`, `/api/v1/content/${absent.cid}`], ['HEAD', `/api/v1/content/${foreign.cid}`, `/api/v1/content/${absent.cid}`],
    ['DELETE', `/api/v1/content/${foreign.cid}`, `/api/v1/content/${absent.cid}`], ['GET', `/api/v1/policies/${foreign.cid}`, `/api/v1/policies/${absent.cid}`],
    ['GET', `/api/v1/content/${foreign.cid}?owner=alice`, `/api/v1/content/${absent.cid}?owner=alice`], ['GET', `/api/v1/content/${foreign.cid}?owner=alice`, `/api/v1/content/${foreign.cid}?owner=nobody`],
    ['GET', `/api/v1/library/${foreign.library}`, `/api/v1/library/${absent.id}`], ['DELETE', `/api/v1/grants/${foreign.grant}`, `/api/v1/grants/${absent.id}`],
    ['DELETE', `/api/v1/tokens/${foreign.token}`, `/api/v1/tokens/${absent.id}`], ['GET', '/api/v1/grants?owner=alice', '/api/v1/grants?owner=nobody'], ['GET', '/auth/sessions?owner=alice', '/auth/sessions?owner=nobody'],
  ];
  for (const who of [bob, weir.anonymous]) {
    for (const [method, one, other] of pairs) {
      const [first, second] = [await ask({ method, target: one }, who), await ask({ method, target: other }, who)];
      expect(first.status, `${method} ${one}`).toBeGreaterThanOrEqual(400);
      expect([first.status, Object.keys(first.headers).sort(), withoutId(first.text)], `${method} ${one}`).toEqual([second.status, Object.keys(second.headers).sort(), withoutId(second.text)]);
    }
  }
});

const withoutId = (text: string): string => text.replace(/"request_id":"[^"]*"/, '');

async function blobCount(): Promise<number> {
  return (await readdir(path.join(weir.dataPath, 'blobs'), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).length;
}

test('what a query asks of an address that reads none is refused and not passed over; who asks whether the server lives may add what he likes', async () => {
  const fresh = await alice.upload(randomBytes(16));
  const policy = `/api/v1/policies/${fresh}`;
  const level = JSON.stringify({ level: 'protected' });
  for (const request of [
    { target: '/api/v1/permissions?owner=bob' }, { target: '/api/v1/roles?limit=1' }, { method: 'DELETE', target: `/api/v1/content/${fresh}?owner=bob` },
    { method: 'PUT', target: `${policy}?owner=bob`, body: level, headers: { 'content-type': 'application/json' } },
  ]) expect((await ask(request)).status, request.target).toBe(400);
  expect((await ask({ target: policy })).status).toBe(404);
  expect((await ask({ target: '/api/v1/permissions?' })).status).toBe(200);
  expect((await ask({ target: '/healthz?at=1795390000' })).status).toBe(200);
});
