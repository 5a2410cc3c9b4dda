/** Webhooks against real receivers: in order, signed, at least once, whatever the receiver does; and nobody waits for them. */
import { createHash, generateKeyPairSync } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { AuditDelivery } from '@weir/contracts/audit';
import { openData, type Data } from '@weir/data/data';
import { migrate } from '@weir/data/migrate';
import { cutAudit } from '@weir/data/audit-retention';
import { readRequestSignature, verifySignature, type MessageKey } from '@weir/security/request-signing/http-message';
import { newTokenKey } from '@weir/security/token-keys';
import { AuditTrail } from '../src/audit-trail.ts';
import { auditWarnings } from '../src/audit-warnings.ts';
import { openWebhooks } from '../src/audit-webhooks.ts';
import { Config } from '../src/config/schema.ts';

const auditKey = newTokenKey('audit-1');
const local = ['127.0.0.0/8'];
type Received = Readonly<{ id: string; action: string; object: string; body: string; request: IncomingMessage }>;

async function receiver(answer: (response: ServerResponse, received: Received, count: number) => void = (response) => response.writeHead(204).end()) {
  const received: Received[] = [];
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let body = '';
    for await (const piece of request.setEncoding('utf8')) body += String(piece);
    const { event } = AuditDelivery.parse(JSON.parse(body));
    const one = { id: event.id, action: event.action, object: event.object, body, request };
    received.push(one);
    answer(response, one, received.length);
  };
  const server = createServer((request, response) => { take(request, response).catch(() => response.destroy()); });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  const url = `http://127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}/hook?of=weir`;
  return { url, received, [Symbol.asyncDispose]: async () => { server.closeAllConnections(); server.close(); await once(server, 'close'); } };
}

class Bench implements AsyncDisposable {
  readonly folder: string;
  readonly data: Data;
  readonly audit: AuditTrail;
  nowMs = Date.now();
  readonly logged: string[] = [];
  readonly log = pino({ level: 'error' }, { write: (line: string) => { this.logged.push(line); } });
  readonly signer = { writer: 'local', keyId: 'k', key: generateKeyPairSync('ed25519').privateKey, checkpointEvents: 10 };

  constructor(folder: string, data: Data) {
    this.folder = folder;
    this.data = data;
    this.audit = new AuditTrail({ data, signer: this.signer, clock: () => this.nowMs, log: this.log, checkpointSeconds: 60 });
  }

  static async open(): Promise<Bench> {
    const folder = await mkdtemp(path.join(tmpdir(), 'weir-hooks-'));
    const data = await openData({ directory: folder });
    await migrate(data);
    return new Bench(folder, data);
  }

  settings(...webhooks: readonly Readonly<Record<string, unknown>>[]): Config['audit'] {
    return Config.parse({ audit: { webhooks } }).audit;
  }

  start(settings: Config['audit'], node = 'one', deadAfterDays = 7) {
    const parts = { data: this.data, audit: this.audit, clock: () => this.nowMs, log: this.log, instance: 'weir-test', signingKey: () => auditKey, deadAfterDays, node };
    return openWebhooks(parts, settings.webhooks);
  }

  async note(...actions: readonly string[]): Promise<void> {
    await this.data.write(async (tx) => {
      for (const action of actions) await this.audit.record(tx, { class: 'A', principal: 'alice', address: '', action, object: `o:${action}`, decision: 'allowed', reason: '', requestId: '' });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.audit[Symbol.asyncDispose]();
    await this.data.close();
    await rm(this.folder, { recursive: true });
  }
}

async function until(what: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> {
  const end = Date.now() + ms;
  while (!await what()) {
    if (Date.now() > end) throw new Error('it did not happen');
    await wait(20);
  }
}

const many = (count: number, prefix = 'grant.n'): string[] => Array.from({ length: count }, (_, index) => `${prefix}${index}`);

test('events arrive in order, those that are wanted and from now on, each signed by the audit key', async () => {
  await using bench = await Bench.open();
  await using hook = await receiver();
  await bench.note('grant.before');
  await using _hooks = await bench.start(bench.settings({ url: hook.url, events: ['grant.*', 'key.rotate'], allow_networks: local }));
  await bench.note(...many(30), 'policy.write', 'key.rotate', 'key.rotated', 'token.issue');
  await until(() => hook.received.length === 31);
  await wait(50);
  expect(hook.received.map(({ action }) => action)).toEqual([...many(30), 'key.rotate']);

  if (auditKey.algorithm !== 'EdDSA') throw new Error('not EdDSA');
  const key: MessageKey = { id: auditKey.id, algorithm: 'ed25519', public: auditKey.public };
  for (const { request, body, id } of hook.received) {
    const read = readRequestSignature({ method: 'POST', target: request.url ?? '', headers: request.headers }, 'weir-test');
    if (read === undefined) throw new Error('not signed');
    expect(verifySignature(read, key, Math.floor(bench.nowMs / 1_000))).toBe(true);
    expect(read.contentDigest?.equals(createHash('sha256').update(body).digest())).toBe(true);
    expect(request.headers['idempotency-key']).toBe(id);
  }
});

test('a hook with a secret of its own is signed with that, from a private file', async () => {
  await using bench = await Bench.open();
  await using hook = await receiver();
  const file = path.join(bench.folder, 'secret');
  await writeFile(file, 'Zk3vQ9x0TtYp4mLr8sWb2nHc6jUa1eGd\n', { mode: 0o600 });
  await using _hooks = await bench.start(bench.settings({ url: hook.url, secret_file: file, allow_networks: local }));
  await bench.note('grant.create');
  await until(() => hook.received.length === 1);
  expect(hook.received[0]?.request.headers['signature-input']).toContain('keyid="webhook-');
  expect(Buffer.from(String(hook.received[0]?.request.headers['signature']).slice('weir=:'.length, -1), 'base64')).toHaveLength(32);

  await chmod(file, 0o644);
  await expect(bench.start(bench.settings({ url: hook.url, secret_file: file, allow_networks: local }))).rejects.toMatchObject({ code: 'file.permissions' });
  await expect(bench.start(bench.settings({ url: hook.url, secret: 'changeme', allow_networks: local }))).rejects.toMatchObject({ code: 'config.invalid' });
});

test('a receiver that fails gets the same event again until it takes it, and no other before', async () => {
  await using bench = await Bench.open();
  await using hook = await receiver((response, _received, count) => response.writeHead(count <= 2 ? 500 : 200).end());
  await using _hooks = await bench.start(bench.settings({ url: hook.url, allow_networks: local }));
  await bench.note('grant.one', 'grant.two');
  await until(() => hook.received.length === 4);
  expect(hook.received.map(({ action }) => action)).toEqual(['grant.one', 'grant.one', 'grant.one', 'grant.two']);
  expect(new Set(hook.received.map(({ id }) => id)).size).toBe(2);
});

test('what could not be delivered before a stop is delivered after it, and what was is not sent again', async () => {
  await using bench = await Bench.open();
  let works = true;
  await using hook = await receiver((response) => response.writeHead(works ? 200 : 503).end());
  const settings = bench.settings({ url: hook.url, allow_networks: local });
  const first = await bench.start(settings);
  await bench.note('grant.one');
  await until(() => hook.received.length === 1);
  works = false;
  await bench.note('grant.two');
  await until(() => hook.received.length > 1);
  await first[Symbol.asyncDispose]();
  await bench.note('grant.three');
  works = true;
  const before = hook.received.length;
  await using _second = await bench.start(settings, 'two');
  await until(() => hook.received.length === before + 2);
  expect(hook.received.slice(before).map(({ action }) => action)).toEqual(['grant.two', 'grant.three']);
});

test('one that hangs, one that redirects inside and one with a huge answer hold neither the others nor any change', async () => {
  await using bench = await Bench.open();
  await using good = await receiver();
  await using hanging = await receiver(() => undefined);
  await using redirecting = await receiver((response) => response.writeHead(307, { location: 'http://169.254.169.254/latest/meta-data/' }).end());
  await using huge = await receiver((response) => { response.writeHead(200); response.end(Buffer.alloc(1 << 20)); });
  const settings = bench.settings(...[good, hanging, redirecting, huge].map(({ url }) => ({ url, allow_networks: local })));
  await using _hooks = await bench.start(settings);
  const started = performance.now();
  await bench.note(...many(20));
  expect(performance.now() - started).toBeLessThan(5_000);
  await until(() => good.received.length === 20 && redirecting.received.length > 1 && huge.received.length > 1);
  const rows = await bench.data.read.selectFrom('audit_webhook').select(['failures', 'last_error']).where('failures', '>', 0).execute();
  expect(new Set(rows.map(({ last_error: error }) => /more than 65536 bytes|redirect/.exec(error)?.[0]))).toEqual(new Set(['more than 65536 bytes', 'redirect']));
  expect(new Set(redirecting.received.map(({ id }) => id)).size).toBe(1);
  bench.nowMs += 700_000;
  const warnings = await auditWarnings(bench.data.read, settings, bench.nowMs);
  expect(warnings.map(({ code }) => code)).toEqual(['audit.webhook_failing', 'audit.webhook_failing']);
});

test('an address that is not public is not reached without its network', async () => {
  await using bench = await Bench.open();
  await using hook = await receiver();
  await using _hooks = await bench.start(bench.settings({ url: hook.url, allow_networks: ['10.0.0.0/8'] }));
  await bench.note('grant.one');
  await until(async () => (await bench.data.read.selectFrom('audit_webhook').select('failures').executeTakeFirstOrThrow()).failures > 0);
  expect(hook.received).toEqual([]);
  expect(() => bench.settings({ url: 'http://hooks.example.org/' })).toThrow('http is only for a private network');
  expect(() => bench.settings({ url: 'https://hooks.example.org/' }, { url: 'https://hooks.example.org/' })).toThrow('the same url');
});

test('after days of failing a hook is given up, says so once, and is tried again by the next start', async () => {
  await using bench = await Bench.open();
  let works = false;
  await using hook = await receiver((response) => response.writeHead(works ? 200 : 500).end());
  const settings = bench.settings({ url: hook.url, events: ['grant.*'], allow_networks: local });
  const first = await bench.start(settings, 'one', 2);
  await bench.note('grant.one');
  await until(async () => (await bench.data.read.selectFrom('audit_webhook').select('failures').executeTakeFirstOrThrow()).failures > 0);
  bench.nowMs += 3 * 86_400_000;
  await until(async () => (await bench.data.read.selectFrom('audit_webhook').select('dead_at').executeTakeFirstOrThrow()).dead_at !== null);
  await bench.audit.flush();
  expect(await auditWarnings(bench.data.read, settings, bench.nowMs)).toMatchObject([{ code: 'audit.webhook_dead' }]);
  expect(await bench.data.read.selectFrom('audit_event').select('object').where('action', '=', 'audit.webhook_dead').execute()).toEqual([{ object: `webhook:${new URL(hook.url).host}` }]);
  const before = hook.received.length;
  await wait(1_500);
  expect(hook.received).toHaveLength(before);
  await first[Symbol.asyncDispose]();
  works = true;
  await using _second = await bench.start(settings, 'one', 2);
  await until(() => hook.received.length === before + 1);
  expect(hook.received.at(-1)?.action).toBe('grant.one');
});

test('of two nodes one delivers, and the other goes on when it stops', async () => {
  await using bench = await Bench.open();
  await using hook = await receiver();
  const settings = bench.settings({ url: hook.url, events: ['grant.*'], allow_networks: local });
  const one = await bench.start(settings, 'one');
  await using _two = await bench.start(settings, 'two');
  await bench.note(...many(40));
  await until(() => hook.received.length === 40);
  await one[Symbol.asyncDispose]();
  await bench.note('grant.last');
  await until(() => hook.received.length === 41);
  expect(hook.received.map(({ action }) => action)).toEqual([...many(40), 'grant.last']);
});

test('what retention removed before it was delivered is passed over, the rest is not', async () => {
  await using bench = await Bench.open();
  let works = false;
  await using hook = await receiver((response) => response.writeHead(works ? 200 : 500).end());
  const settings = bench.settings({ url: hook.url, events: ['grant.*'], allow_networks: local });
  await using _hooks = await bench.start(settings);
  await bench.note(...many(15));
  await until(() => hook.received.length > 0);
  await cutAudit(bench.data, bench.signer, { olderThanMs: bench.nowMs + 1, requireExport: false }, bench.nowMs);
  works = true;
  await until(() => hook.received.at(-1)?.action === 'grant.n14');
  expect(hook.received.filter(({ action }) => action !== 'grant.n0').map(({ action }) => action)).toEqual(['grant.n10', 'grant.n11', 'grant.n12', 'grant.n13', 'grant.n14']);
});
