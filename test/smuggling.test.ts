/** Messages in which two readers of HTTP see two requests (RFC 9112 §11.2), and addresses in which two see two resources (RFC 3986 §7): this server sees one, or refuses. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { send, sendBytes } from './support/raw-http.ts';
import { startWeir, type Client, type TestWeir } from './support/weir.ts';

let weir: TestWeir;
let alice: Client;
let host = '';
let cid = '';
beforeAll(async () => {
  weir = await startWeir({ environment: { WEIR_FLEET__ENABLED: 'false' } });
  alice = await weir.principal('alice', 'user');
  cid = await alice.upload(Buffer.from('only for alice'), 'a.bin');
  ({ host } = new URL(weir.url));
});
afterAll(async () => { await weir?.[Symbol.asyncDispose](); });

/** A request whose answer nobody but its sender may get: it tells who asks. */
const hidden = (): string => `GET /api/v1/permissions HTTP/1.1\r\nhost: ${host}\r\n\r\n`;
const statuses = (answer: string): string[] => [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status ?? '');
/** The statuses of all answers to these bytes, sent in one piece on one connection. */
const answersTo = async (bytes: string): Promise<string[]> => statuses(await sendBytes(weir.url, Buffer.from(bytes, 'latin1'), 700));
const post = (headers: string, body: string): string => `POST /healthz HTTP/1.1\r\nhost: ${host}\r\n${headers}\r\n${body}`;
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;

test('what is well-formed is answered, and a body is never taken for a request', async () => {
  for (const [bytes, expected] of [
    [post(`content-length: ${hidden().length}\r\n`, hidden()), ['405']], [post('transfer-encoding: chunked\r\n', `${chunk(hidden())}0\r\n\r\n`), ['405']],
    [post('Transfer-Encoding: CHUNKED\r\n', '0\r\n\r\n') + hidden(), ['405', '200']], [post('content-length: 0\r\n', '') + hidden(), ['405', '200']], [`\r\n\r\n${hidden()}`, ['200']], [post('transfer-encoding: chunked\r\n', '000000000000000000000\r\n\r\n') + hidden(), ['405', '200']],
    // Words may stand further apart (RFC 9112 §3), and what an extension of a chunk says is nobody's concern (§7.1.1).
    [`GET   /healthz HTTP/1.1\r\nhost: ${host}\r\n\r\n`, ['200']], [post('transfer-encoding: chunked\r\n', `1;a=b;c="d"\r\nx\r\n0;e\r\n\r\n`) + hidden(), ['405', '200']],
    [`GET /healthz HTTP/1.1\r\nhost: ${host}\r\ncontent-length: ${hidden().length}\r\n\r\n${hidden()}`, ['400']],
    [`GET /healthz HTTP/1.0\r\nhost: ${host}\r\n\r\n`, ['200']],
  ] as const) expect(await answersTo(bytes), JSON.stringify(bytes.slice(0, 120))).toEqual(expected);
});

/** Behind each stands the hidden request, where a reader that sees another end of the body would find it. */
test.each<[string, string, string?]>([
  ['a length and chunks', 'content-length: 4\r\ntransfer-encoding: chunked\r\n', '0\r\n\r\n'], ['chunks and a length', 'transfer-encoding: chunked\r\ncontent-length: 4\r\n', '0\r\n\r\n'],
  ['two lengths', 'content-length: 0\r\ncontent-length: 5\r\n'], ['one length twice', 'content-length: 0\r\ncontent-length: 0\r\n'], ['a list of lengths', 'content-length: 0, 0\r\n'],
  ...['+0', '-0', '-1', '0x0', '0e0', '0.0', '0_0', '"0"', '', '0;', '0 0', '\u00b2', '18446744073709551616', '99999999999999999999999'].map((length): [string, string] => [`the length ${JSON.stringify(length)}`, `content-length: ${length}\r\n`]),
  ...['identity', 'chunked, identity', 'xchunked', 'chunkedx', 'chunk', '"chunked"', 'chunked;q=1', 'chunked,', ',chunked, gzip', '\u000bchunked', 'chunked\u000b', 'chunked\u0000', 'chunked\u00a0', 'gzip', 'cow', ''].map((coding): [string, string, string] => [`the coding ${JSON.stringify(coding)}`, `transfer-encoding: ${coding}\r\n`, '0\r\n\r\n']),
  ['chunks twice', 'transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n', '0\r\n\r\n'], ['chunks, then none', 'transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n', '0\r\n\r\n'],
  ['a space before the colon', 'transfer-encoding : chunked\r\n', '0\r\n\r\n'], ['a tab before the colon', 'content-length\t: 0\r\n'], ['a space before the first name', ' transfer-encoding: chunked\r\n', '0\r\n\r\n'],
  ['a folded line', 'x: y\r\n transfer-encoding: chunked\r\n', '0\r\n\r\n'], ['a folded coding', 'transfer-encoding:\r\n chunked\r\n', '0\r\n\r\n'], ['a folded length', 'content-length:\r\n\t0\r\n'],
  ['a bare line feed', 'x: y\ncontent-length: 0\r\n'], ['a bare carriage return', 'x: y\rcontent-length: 0\r\n'], ['a NUL in a value', 'x: y\u0000\r\n'], ['a NUL in a name', 'x\u0000: y\r\n'], ['a line without a colon', 'content-length\r\n'],
  ['an empty name', ': x\r\n'], ['a name with a slash', 'a/b: x\r\n'], ['a name that is no ASCII', 'content-l\u00e9ngth: 0\r\n'], ['a control character in a value', 'x: \u0001\r\n'],
  ...['0x0', '+0', '-0', ' 0', '0 ', '\t0', '', 'g', 'FFFFFFFFFFFFFFFFF', '0\n', '0;a\n', '0;a=\u0000', '0\r'].map((size): [string, string, string] => [`a chunk of size ${JSON.stringify(size)}`, 'transfer-encoding: chunked\r\n', `${size}\r\n\r\n`]),
  ['a chunk that is longer than it says', 'transfer-encoding: chunked\r\n', '1\r\nab\r\n0\r\n\r\n'], ['a chunk without an end', 'transfer-encoding: chunked\r\n', '1\r\na0\r\n\r\n'], ['a chunk that ends in a line feed', 'transfer-encoding: chunked\r\n', '1\r\na\n0\r\n\r\n'],
  ['chunks that end in line feeds', 'transfer-encoding: chunked\r\n', '0\n\n'], ['trailers that are folded', 'transfer-encoding: chunked\r\n', '0\r\na: b\r\n c\r\n\r\n'], ['trailers without a colon', 'transfer-encoding: chunked\r\n', '0\r\nabc\r\n\r\n'],
])('RFC 9112 §6.3, §7.1: %s is one refused request', async (_, headers, body = '') => {
  const answers = await answersTo(post(headers, body) + hidden());
  expect(answers.slice(0, 1)).toEqual(['400']);
  expect(answers, 'nothing after it is read').toHaveLength(1);
});

test.each<[string, string]>([
  ['two hosts', 'GET /healthz HTTP/1.1\r\nhost: HOST\r\nhost: evil.example\r\n\r\n'], ['its host twice', 'GET /healthz HTTP/1.1\r\nhost: HOST\r\nHost: HOST\r\n\r\n'], ['a tab', `GET\t/healthz HTTP/1.1\r\nhost: HOST\r\n\r\n`], ['no version', 'GET /healthz\r\nhost: HOST\r\n\r\n'], ['two versions', 'GET /healthz HTTP/1.1 HTTP/1.1\r\nhost: HOST\r\n\r\n'],
  ['another version', 'GET /healthz HTTP/1.2\r\nhost: HOST\r\n\r\n'], ['a longer version', 'GET /healthz HTTP/1.10\r\nhost: HOST\r\n\r\n'], ['HTTP/2', 'GET /healthz HTTP/2.0\r\nhost: HOST\r\n\r\n'], ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['a version in lower case', 'GET /healthz http/1.1\r\nhost: HOST\r\n\r\n'], ['a method in lower case', 'get /healthz HTTP/1.1\r\nhost: HOST\r\n\r\n'], ['an unknown method', 'GETX /healthz HTTP/1.1\r\nhost: HOST\r\n\r\n'], ['a space before the method', ' GET /healthz HTTP/1.1\r\nhost: HOST\r\n\r\n'],
  ['a whole address of somebody else', 'GET http://evil.example/healthz HTTP/1.1\r\nhost: HOST\r\n\r\n'], ['its own whole address', 'GET http://HOST/healthz HTTP/1.1\r\nhost: HOST\r\n\r\n'], ['an authority', 'GET HOST HTTP/1.1\r\nhost: HOST\r\n\r\n'], ['an asterisk', 'GET * HTTP/1.1\r\nhost: HOST\r\n\r\n'],
  ['a tunnel', 'CONNECT HOST HTTP/1.1\r\nhost: HOST\r\n\r\n'], ['bare line feeds', 'GET /healthz HTTP/1.1\nhost: HOST\n\n'], ['a line feed in the target', 'GET /heal\nthz HTTP/1.1\r\nhost: HOST\r\n\r\n'], ['a NUL in the target', 'GET /healthz\u0000 HTTP/1.1\r\nhost: HOST\r\n\r\n'],
  ['bytes beyond ASCII in the target', 'GET /healthz\u00ff HTTP/1.1\r\nhost: HOST\r\n\r\n'], ['a fragment', 'GET /healthz#x HTTP/1.1\r\nhost: HOST\r\n\r\n'], ['chunks in HTTP/1.0', 'POST /healthz HTTP/1.0\r\nhost: HOST\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['no host', 'GET /healthz HTTP/1.1\r\n\r\n'], ['an empty host', 'GET /healthz HTTP/1.1\r\nhost:\r\n\r\n'], ['two names in the host', 'GET /healthz HTTP/1.1\r\nhost: HOST, evil.example\r\n\r\n'], ['a path in the host', 'GET /healthz HTTP/1.1\r\nhost: HOST/x\r\n\r\n'],
  ['a user in the host', 'GET /healthz HTTP/1.1\r\nhost: a@HOST\r\n\r\n'], ['a blank in the host', 'GET /healthz HTTP/1.1\r\nhost: HOST evil.example\r\n\r\n'], ['a host behind a blank that is none', 'GET /healthz HTTP/1.1\r\nhost: \u00a0HOST\r\n\r\n'],
  ['an expectation that nobody has', 'POST /healthz HTTP/1.1\r\nhost: HOST\r\nexpect: 200-ok\r\ncontent-length: 0\r\n\r\n'],
])('RFC 9112 §3: a request line or host with %s is refused', async (_, text) => {
  const [status] = await answersTo(text.replaceAll('HOST', host));
  // A tunnel is not answered at all: the connection ends.
  expect(['400', '405', '417', '421', undefined]).toContain(status);
});

test('RFC 9113 §3.1: nothing is upgraded beside the gate (h2c smuggling)', async () => {
  for (const protocol of ['h2c', 'h2c, websocket', 'TLS/1.0', 'WebSocket, h2c', 'weird']) {
    const answer = await sendBytes(weir.url, `GET /healthz HTTP/1.1\r\nhost: ${host}\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: ${protocol}\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${hidden()}`, 700);
    expect(answer, protocol).not.toMatch(/HTTP\/1\.1 101|"principal"/);
  }
});

/** What the router finds in an address, and what another reader of it could. Alice may read `cid`; nothing else is there. */
test('RFC 3986 §6.2.2.2: what is encoded without need is the same resource, for whom it is allowed and for whom not', async () => {
  for (const target of [`/api/v1/content/${cid}`, `/%61pi/v1/content/${cid}`, `/api/v1/%63ontent/%${Buffer.from(cid.slice(0, 1)).toString('hex')}${cid.slice(1)}`]) {
    expect([(await send(weir.url, { target, headers: alice.evidence() })).text, (await send(weir.url, { target })).status], target).toEqual(['only for alice', 404]);
  }
});

test.each([
  '/api/v1/content/CID/', '//api/v1/content/CID', '/api/v1//content/CID', '/api/v1/content//CID', '/./api/v1/content/CID', '/api/v1/./content/CID', '/api/v1/content/./CID', '/api/v1/x/../content/CID', '/api/v1/content/x/../CID', '/../api/v1/content/CID',
  '/api/v1/content/CID/..', '/api/v1/content/CID/.', '/api/v1/content/CID/../CID', '/api/v1/x/%2e%2e/content/CID', '/api/v1/x/%2E%2e/content/CID', '/api/v1/x/.%2e/content/CID', '/api/v1/x%2f..%2fcontent%2fCID', '/api/v1/content%2fCID', '/api/v1%2Fcontent/CID',
  '/api/v1/x/..%5ccontent/CID', '/api/v1/x/..\\content/CID', '\\api\\v1\\content\\CID', '/api/v1/content/CID%2f..', '/api/v1/content/CID%5c', '/api/v1/content/CID%00', '/api/v1/content/CID%0a', '/api/v1/content/CID%20', '/api/v1/content/%20CID', '/api/v1/content/CID+', '/api/v1/content/CID%09',
  '/api/v1/content/CID;', '/api/v1/content/CID;a=b', '/api/v1;a=b/content/CID', '/api;/v1/content/CID', '/api/v1/content/;/CID', '/api/v1/content/..;/content/CID', '/api/v1/content/CID%3b', '/api/v1/content/CID%3fa', '/api/v1/content/CID%23', '/api/v1/content/CID#', '/api/v1/content/CID#?grant=x', '/#/../api/v1/content/CID',
  '/api/v1/x/%252e%252e/content/CID', '/api/v1/x%252f..%252fcontent/CID', '/api/v1/content/%2543ID', '/%2561pi/v1/content/CID', '/api/v1/x/%c0%ae%c0%ae/content/CID', '/api/v1/x/%c0%af../content/CID', '/api/v1/x/%e0%80%ae%e0%80%ae/content/CID', '/api/v1/x/%f0%80%80%ae/content/CID', '/api/v1/x/%uff0e%uff0e/content/CID',
  '/api/v1/x/%ef%bc%8e%ef%bc%8e/content/CID', '/api/v1/content/CID%c0%80', '/api/v1/content/CID%ff', '/api/v1/content/CID%ed%a0%80', '/api/v1/content/CID%', '/api/v1/content/CID%2', '/api/v1/content/CID%zz', '/API/v1/content/CID', '/api/V1/content/CID', '/api/v1/CONTENT/CID', '/api/v1/content/CID.json', '/api/v1/content/CID,CID',
  '/api/v1/content/CID%EF%BB%BF', '/api/v1/content/%E2%80%8BCID', '/api/v1/content/CID%C2%A0', '/api/v1/content/*', '/api/v1/content/:cid', '/api/v1/content/%3Acid', '/healthz/../api/v1/content/CID', '/healthz/%2e%2e/api/v1/content/CID', '/healthz;/../api/v1/content/CID', '/assets/../api/v1/content/CID', '/index.html/api/v1/content/CID',
])('RFC 3986 §7, path confusion: %s is no other spelling of a content, for nobody', async (text) => {
  const target = text.replaceAll('CID', cid);
  for (const headers of [alice.evidence(), {}]) {
    const answer = await sendBytes(weir.url, `GET ${target} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n${Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`, 2_000);
    expect(answer).toMatch(/^HTTP\/1\.1 (400|404|200)/);
    // The application's page answers to addresses that it has; it is the same for everybody.
    if (answer.startsWith('HTTP/1.1 200')) expect(answer).toMatch(/content-type: text\/html/i);
    expect(answer).not.toContain('only for alice');
  }
});

test('parameters that come twice, under other names or beside others are refused', async () => {
  const ask = async (query: string): Promise<number> => (await send(weir.url, { target: `/api/v1/grants?${query}`, headers: alice.evidence() })).status;
  expect([await ask('owner=alice'), await ask('owner=alice&limit=5')]).toEqual([200, 200]);
  for (const query of ['owner=alice&owner=bob', 'owner=bob&owner=alice', 'owner=alice&owner=alice', 'owner=alice&%6fwner=bob', 'owner[]=alice', 'owner=alice;owner=bob', 'Owner=alice', 'owner=alice&__proto__=x', 'owner=alice&constructor=x', 'limit=5&limit=6', 'limit=5%00', 'owner=', '=alice', 'owner']) {
    expect([400, 404], query).toContain(await ask(query));
  }
});
