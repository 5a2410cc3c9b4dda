/** Pages of other sites in a real Chromium, with a visitor who is signed in: they change nothing, read nothing and open no socket; those that the operator listed read with a token. */
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort, send, type RawReply, type RawRequest } from './support/raw-http.ts';
import { StoredState } from './support/state.ts';
import { upgradeStatus } from './support/held-job.ts';
import { dffmpegSigned, startWeir, type Client, type TestWeir } from './support/weir.ts';

let weir: TestWeir;
let foreign: Server;
let browser: Browser;
let visitor: BrowserContext;
let alice: Client;
let listed = '';
let evilPort = 0;
let port = '';
const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>parent.postMessage("ran", "*")</script></svg>';
let cid = '';

beforeAll(async () => {
  foreign = createServer((_request, response) => { response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>elsewhere</title>'); });
  await once(foreign.listen(0, '127.0.0.1'), 'listening');
  evilPort = (foreign.address() as AddressInfo).port;
  const listedPort = await freePort();
  listed = `http://app.localhost:${listedPort}`;
  weir = await startWeir({ environment: { WEIR_SERVER__CORS__ALLOWED_ORIGINS: `${listed},https://*.example.com,http://tools.localhost:*`, WEIR_FLEET__ENABLED: 'false' } });
  port = new URL(weir.url).port;
  alice = await weir.principal('alice', 'user');
  cid = await alice.upload(Buffer.from(svg), 'picture.svg');
  browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', `--host-resolver-rules=MAP evil.example 127.0.0.1,MAP rebound.example 127.0.0.1,MAP ${new URL(listed).host} 127.0.0.1:${evilPort}`],
  });
  visitor = await browser.newContext();
  visitor.setDefaultTimeout(15_000);
  const page = await visitor.newPage();
  // The link of the start was used for the admin of the test.
  const { link } = await (await weir.admin()).json<{ link: string }>('POST', '/api/v1/principals/admin/sign-in-link');
  await page.goto(`${home()}/sign-in#${link.split('#')[1] ?? ''}`);
  await page.getByRole('heading', { level: 1, name: 'Home' }).waitFor();
  await page.close();
}, 120_000);
afterAll(async () => {
  await browser?.close();
  foreign?.close();
  await weir?.[Symbol.asyncDispose]();
});

/** Scripts of pages, as text: this file has no document. */
const inPage = (script: string, values: Readonly<Record<string, string>>): string => `(async (values) => { ${script} })(${JSON.stringify(values)})`;
const submitForm = `
  const form = document.createElement('form');
  Object.assign(form, { action: values.action, enctype: values.enctype, method: 'post' });
  const field = document.createElement('input');
  Object.assign(field, { name: '{"expires_in":60,"x":"', value: '"}' });
  form.append(field);
  document.body.append(form);
  setTimeout(() => form.submit());
`;
const loadEverything = `
  const { base, content } = values;
  const loads = (tag, attribute, url) => new Promise((resolve) => {
    const element = document.createElement(tag);
    for (const event of ['load', 'loadedmetadata']) element.addEventListener(event, () => resolve('load'));
    element.addEventListener('error', () => resolve('error'));
    if (tag === 'link') element.setAttribute('rel', 'stylesheet');
    element.setAttribute(attribute, url);
    document.body.append(element);
  });
  const frame = document.createElement('iframe');
  frame.src = base + '/';
  document.body.append(frame);
  await new Promise((resolve) => { frame.addEventListener('load', resolve); });
  let seen = 'nothing';
  try { seen = frame.contentDocument?.body.textContent ?? 'nothing'; } catch { seen = 'nothing'; }
  return [
    await loads('img', 'src', base + content), await loads('script', 'src', base + '/api/v1/permissions'), await loads('link', 'href', base + content),
    await loads('video', 'src', base + content), await loads('object', 'data', base + content), seen,
    await fetch(base + '/api/v1/permissions', { credentials: 'include' }).then((reply) => reply.text(), () => 'failed'),
  ];
`;

/** Where the visitor is signed in: the name of the sign-in link. */
const home = (): string => new URL(weir.ready.signInLink ?? weir.url).origin;

async function at(url: string): Promise<Page> {
  const page = await visitor.newPage();
  await page.goto(url);
  return page;
}

/** Another port of the same site, another site, and a page without an origin. */
const places = (): string[] => [`http://${new URL(home()).hostname}:${evilPort}/`, `http://127.0.0.1:${evilPort}/`, `http://evil.example:${evilPort}/`];

test('the visitor is signed in on our own pages, so that the refusals below mean something', async () => {
  const page = await at(home());
  const { status, principal } = await page.evaluate(async () => {
    const reply = await fetch('/api/v1/permissions');
    return { status: reply.status, principal: ((await reply.json()) as { principal: string }).principal };
  });
  expect({ status, principal }).toEqual({ status: 200, principal: 'admin' });
  const made = await page.evaluate(async () => (await fetch('/api/v1/tokens', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"expires_in":60}' })).status);
  expect(made).toBe(201);
  await page.close();
});

test('forms, requests and uploads of another site change nothing', async () => {
  using state = new StoredState(weir.dataPath);
  const page = await visitor.newPage();
  for (const place of places()) {
    const before = state.digest();
    for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data']) {
      await page.goto(place);
      const answered = page.waitForResponse((reply) => reply.url() === `${home()}/api/v1/tokens`);
      await page.evaluate(inPage(submitForm, { action: `${home()}/api/v1/tokens`, enctype: type }));
      expect([(await answered).status(), place, type]).toEqual([403, place, type]);
      await page.waitForURL(`${home()}/api/v1/tokens`);
    }
    await page.goto(place);
    const outcomes = await page.evaluate(async (target) => {
      const attempt = async (init: RequestInit): Promise<string> => fetch(target, init).then((reply) => `${reply.type} ${reply.status}`, () => 'failed');
      return [
        await attempt({ method: 'POST', credentials: 'include', headers: { 'content-type': 'application/json' }, body: '{"expires_in":60}' }),
        await attempt({ method: 'POST', credentials: 'include', mode: 'no-cors', body: '{"expires_in":60}' }),
        await attempt({ method: 'DELETE', credentials: 'include' }), await attempt({ credentials: 'include' }), await attempt({}),
      ];
    }, `${home()}/api/v1/tokens`);
    // The browser does not send it, or does not show what comes back.
    expect(outcomes).toEqual(['failed', 'failed', 'failed', 'failed', 'failed']);
    expect(state.digest()).toBe(before);
  }
  await page.close();
}, 90_000);

test('another site reads nothing: not by requests, pictures, scripts, styles, frames or media', async () => {
  for (const place of places()) {
    const page = await at(place);
    const outcomes = await page.evaluate(inPage(loadEverything, { base: home(), content: `/api/v1/content/${cid}?owner=alice` }));
    expect(outcomes).toEqual(['error', 'error', 'error', 'error', 'error', 'nothing', 'failed']);
    await page.close();
  }
}, 60_000);

test('ipfs-kit §1.5 #5: another site opens no socket, whatever it is sent with', async () => {
  for (const place of places()) {
    const page = await at(place);
    const outcome = await page.evaluate((url) => new Promise((resolve) => {
      const socket = new WebSocket(url);
      socket.addEventListener('open', () => resolve('open'));
      socket.addEventListener('error', () => resolve('error'));
    }), `${home().replace('http', 'ws')}/api/v1/workers/connect`);
    expect(outcome).toBe('error');
    await page.close();
  }
  const { key } = await weir.principal('encoder', 'worker');
  const target = '/api/v1/workers/connect';
  const signed = (): Record<string, string> => dffmpegSigned('encoder', key, 'GET', target);
  // The origin is looked at before anything else, with and without evidence.
  for (const origin of ['https://evil.example', 'null', 'file://', `http://127.0.0.1:${evilPort}`, 'https://example.com', 'http://a.example.com', `${weir.url}.evil.example`]) {
    expect([await upgradeStatus(weir.url, target, { origin }), origin]).toEqual([403, origin]);
    expect([await upgradeStatus(weir.url, target, { ...signed(), origin }), origin]).toEqual([403, origin]);
  }
  for (const origin of [weir.url, listed, 'https://a.example.com', 'http://tools.localhost:1234']) expect(await upgradeStatus(weir.url, target, { ...signed(), origin })).not.toBe(403);
});

test('streamkit §2.10 #6: a name that was made to lead here reads nothing, not even with GET', async () => {
  const page = await at(`http://evil.example:${evilPort}/`);
  for (const target of ['/', '/healthz', '/api/v1/permissions', `/api/v1/content/${cid}`]) {
    const response = await page.goto(`http://rebound.example:${port}${target}`);
    expect([response?.status(), target]).toEqual([421, target]);
  }
  await page.close();
});

test('streamkit §2.10 #6: a change from another origin is refused at every address, also under a prefix that is none of ours', async () => {
  using state = new StoredState(weir.dataPath);
  const before = state.digest();
  for (const prefix of ['', '/base', '/weir/media', '/api', '//', '/%2e', '/x/..']) {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY']) {
      const reply = await send(weir.url, { method, target: `${prefix}/api/v1/tokens`, headers: { ...alice.evidence(), origin: 'https://evil.example', 'content-type': 'application/json' }, body: '{"expires_in":60}' });
      expect([[403, 400].includes(reply.status), prefix, method, reply.status]).toEqual([true, prefix, method, reply.status]);
    }
  }
  expect(state.digest()).toBe(before);
});

const ask = (request: RawRequest): Promise<RawReply> => send(weir.url, request);

test('a listed origin may ask beforehand, reads with a token, and never with a cookie', async () => {
  const preflight = (origin: string): Promise<RawReply> => ask({ method: 'OPTIONS', target: '/api/v1/tokens', headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization', 'access-control-request-private-network': 'true' } });
  for (const origin of [listed, 'https://a.example.com', 'https://a.b.example.com', 'http://tools.localhost:8080']) {
    const reply = await preflight(origin);
    expect([reply.status, reply.headers['access-control-allow-origin'], reply.text]).toEqual([204, origin, '']);
    expect(reply.headers['access-control-allow-methods']).toContain('DELETE');
    expect(reply.headers['access-control-allow-headers']).toContain('authorization');
    expect(reply.headers['vary']).toContain('origin');
    const read = await ask({ target: `/api/v1/content/${cid}`, headers: { ...alice.evidence(), origin, range: 'bytes=0-3' } });
    expect([read.status, read.headers['access-control-allow-origin'], read.headers['vary']]).toEqual([206, origin, 'authorization, cookie, origin']);
    expect(read.headers['access-control-expose-headers']).toContain('content-range');
    const refused = await ask({ target: '/api/v1/library', headers: { origin } });
    expect([refused.status, refused.headers['access-control-allow-origin']]).toEqual([401, origin]);
    for (const { headers } of [reply, read, refused]) expect([headers['access-control-allow-credentials'], headers['access-control-allow-private-network']]).toEqual([undefined, undefined]);
  }
  // ipfs-kit §1.5 #6: a pattern keeps its scheme and its port, and stands for whole labels.
  for (const origin of ['http://a.example.com', 'ftp://a.example.com', 'https://a.example.com:8443', 'https://example.com', 'https://evilexample.com', 'https://a.example.com.evil.com', 'null', '*', 'http://tools.localhost:x', 'https://tools.localhost:8080']) {
    expect([(await preflight(origin)).status, origin]).toEqual([403, origin]);
    const read = await ask({ target: '/healthz', headers: { origin } });
    expect([read.headers['access-control-allow-origin'], read.headers['vary']]).toEqual([undefined, 'origin']);
  }
  expect((await ask({ method: 'OPTIONS', target: '/api/v1/tokens', headers: { host: 'evil.example', origin: listed, 'access-control-request-method': 'POST' } })).status).toBe(421);
});

test('in the browser, a listed page uses a token and can not use the visitor’s cookie', async () => {
  const page = await at(`${listed}/`);
  const token = alice.evidence()['authorization'] ?? '';
  const outcome = await page.evaluate(async ({ base, authorization }) => {
    const reply = await fetch(`${base}/api/v1/permissions`, { headers: { authorization } });
    const own = (await reply.json()) as { principal: string };
    const withCookie = await fetch(`${base}/api/v1/permissions`, { credentials: 'include' }).then(() => 'read', () => 'failed');
    return { principal: own.principal, limit: reply.headers.get('ratelimit-limit'), withCookie };
  }, { base: weir.url, authorization: token });
  expect(outcome).toEqual({ principal: 'alice', limit: '1000000', withCookie: 'failed' });
  await page.close();
});

test('without a listed origin no answer differs by origin, and none says a word of it (ipfs-kit §1.5 #6)', async () => {
  await using plain = await startWeir({ environment: { WEIR_FLEET__ENABLED: 'false' } });
  for (const headers of [{}, { origin: 'https://evil.example' }, { origin: plain.url }] as Record<string, string>[]) {
    const reply = await send(plain.url, { target: '/healthz', headers });
    expect(Object.keys(reply.headers).filter((name) => name.startsWith('access-control-') || name === 'vary')).toEqual([]);
  }
  expect((await send(plain.url, { method: 'OPTIONS', target: '/api/v1/tokens', headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' } })).status).toBe(403);
});

test('a picture with a script in it is only text when it is opened', async () => {
  const { url } = await alice.json<{ url: string }>('POST', '/api/v1/grants', { cid });
  const page = await at(url);
  expect(await page.evaluate('[document.contentType, document.scripts.length, document.querySelector("svg")]')).toEqual(['text/plain', 0, null]);
  await page.close();
});

test('where everyone is admin, every page says so', async () => {
  await using open = await startWeir({ environment: { WEIR_PERMISSIONS__DEFAULT_ROLE: 'admin', WEIR_FLEET__ENABLED: 'false' } });
  const context = await browser.newContext();
  const page = await context.newPage();
  for (const target of ['/', '/library', '/jobs']) {
    await page.goto(`${open.url}${target}`);
    await page.getByText('Nobody signs in here: everyone who reaches this address acts as admin.').waitFor();
  }
  await context.close();
  const signedIn = await at(home());
  await signedIn.getByRole('heading', { level: 1, name: 'Home' }).waitFor();
  expect(await signedIn.getByText('Nobody signs in here').count()).toBe(0);
  await signedIn.close();
}, 60_000);
