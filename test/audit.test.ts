/** The audit log of a running server: every change leaves its event, nothing in it is secret, and without it nobody gains a right. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AuditDelivery, AuditEvent, type AuditVerification } from '../packages/contracts/src/audit.ts';
import { allRoutes } from '../packages/server/src/http-server.ts';
import { actions, type Action } from '../packages/security/src/actions.ts';
import { ExportVerifier } from '../packages/security/src/audit-export.ts';
import { doors, type Case } from './support/doors.ts';
import { send } from './support/raw-http.ts';
import { startWeir, type TestWeir } from './support/weir.ts';
import { buildWorld, roles, type World } from './support/world.ts';

let world: World;
let database: DatabaseSync;
/** Everything secret that a caller got or sent. */
const secrets = new Set<string>();

beforeAll(async () => {
  world = await buildWorld();
  database = new DatabaseSync(path.join(world.weir.dataPath, 'weir.db'), { timeout: 5_000 });
}, 240_000);
afterAll(async () => {
  database.close();
  await world[Symbol.asyncDispose]();
});

type Row = Readonly<{ action: string; principal: string; object: string; decision: string; request_id: string }>;

async function eventOf(requestId: string): Promise<Row | undefined> {
  for (let tries = 0; tries < 120; tries += 1) {
    const row = database.prepare('select * from audit_event where request_id = ?').get(requestId) as Row | undefined;
    if (row !== undefined) return row;
    await wait(25);
  }
  return undefined;
}

const routeOf = (door: string) => allRoutes.find(({ declaration }) => `${declaration.method} ${declaration.path}` === door)?.declaration;

/** Beside the privileged: who has what, who came, and what is done with machines. */
const alsoAudited = new Set(['login.open', 'content.write', 'content.delete', 'library.write', 'worker.manage', 'worker.join']);
/** They only ask what will be done by another call, which leaves the event; or need an identity provider, which is not here. */
const onlyBegins = (door: string): boolean => /\/challenge$|^POST \/auth\/oidc\//.test(door);
const isAudited = (door: string, { action }: Case): boolean => {
  const declared = onlyBegins(door) ? undefined : routeOf(door);
  if (declared === undefined || declared.method === 'GET' || declared.method === 'HEAD') return false;
  const known: Action | undefined = Object.hasOwn(actions, action) ? actions[action as keyof typeof actions] : undefined;
  return known?.privileged !== undefined || alsoAudited.has(action);
};
const audited = Object.entries(doors).flatMap(([door, cases]) => {
  const found = cases.filter((entry) => isAudited(door, entry));
  return found.length === 0 ? [] : [[door, found] as const];
});

test('every privileged route is among the ones that are called here', () => {
  const called = new Set(audited.map(([door]) => door));
  const privileged = allRoutes.map(({ declaration }) => declaration)
    .filter(({ method, action }) => method !== 'GET' && method !== 'HEAD' && (actions[action] as Action).privileged !== undefined);
  expect(privileged.map(({ method, path: route }) => `${method} ${route}`).filter((door) => !called.has(door) && !onlyBegins(door))).toEqual([]);
  expect(called.size).toBeGreaterThan(20);
});

test.each(audited)('%s leaves its event, with who, what and the decision', { timeout: 60_000 }, async (_door, cases) => {
  const succeeded = [];
  for (const entry of cases) {
    // A door is tried as each role until one is let in.
    for (const role of ['admin', ...roles.filter((each) => each !== 'admin')] as const) {
      if (entry.only !== undefined && !entry.only.includes(role)) continue;
      const caller = world.caller(role);
      const request = await entry.request(world, caller);
      const reply = await send(world.weir.url, { ...request, agent: world.agent });
      gather(request.body, reply.text, reply.headers['set-cookie']?.join(' '));
      if (reply.status < 200 || reply.status > 299) continue;
      succeeded.push(entry.action);
      const event = await eventOf(String(reply.headers['x-request-id']));
      expect(event, `${entry.action} as ${role}`).toMatchObject({ action: entry.action, decision: 'allowed' });
      expect(event?.object).not.toBe('');
      if (caller.name !== '' && !['login.open', 'worker.join'].includes(entry.action)) expect(event?.principal).toBe(caller.name);
      break;
    }
  }
  expect(succeeded.length).toBeGreaterThan(0);
});

test('the life of a server, of workers and of jobs is in the log', async () => {
  const { count } = database.prepare(`select count(*) as count from audit_event where action = 'server.start' and reason like 'version %, configuration sha256:%'`).get() as { count: number };
  expect(count).toBe(1);
  for (const action of ['worker.connect', 'job.submit', 'job.cancel', 'content.write', 'user.write']) {
    expect(database.prepare('select count(*) as count from audit_event where action = ? and decision = ?').get(action, 'allowed'), action).not.toEqual({ count: 0 });
  }
  world.held[Symbol.dispose]();
  for (let tries = 0; tries < 100; tries += 1) {
    if (database.prepare(`select 1 from audit_event where action = 'worker.leave'`).get() !== undefined) return;
    await wait(50);
  }
  throw new Error('that the worker left is not in the log');
});

test('refusals that are alike are one event with a count, by principal, address and reason', async () => {
  const before = Number((database.prepare('select max(sequence) as last from audit_event').get() as { last: number }).last);
  for (let times = 0; times < 25; times += 1) await world.weir.anonymous.send('GET', '/api/v1/principals');
  await wait(2_200);
  const rows = database.prepare(`select count, address, class, decision from audit_event where sequence > ? and action = 'user.list' and principal = ''`).all(before) as { count: number }[];
  expect(rows.reduce((sum, { count }) => sum + count, 0)).toBe(25);
  expect(rows.length).toBeLessThanOrEqual(4);
  expect(rows[0]).toMatchObject({ class: 'C', decision: 'refused', address: '127.0.0.1' });
});

test('nothing secret is in the log: no key, token, link, cookie or password that anybody was given or sent', async () => {
  await wait(1_200);
  const text = JSON.stringify(database.prepare('select * from audit_event').all());
  expect(secrets.size).toBeGreaterThan(10);
  for (const secret of secrets) for (const form of [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64').replaceAll('=', '')]) expect(text.includes(form), `${secret.slice(0, 6)}…`).toBe(false);
  expect(text).not.toMatch(/eyJ[\w-]{10,}\.[\w-]+\.[\w-]+/);
  expect(text).not.toMatch(/#[\w-]{40,}/);
});

/** Values of fields that hold secrets, and what a cookie holds. */
function gather(...texts: readonly (string | Uint8Array | undefined)[]): void {
  for (const text of texts) {
    if (typeof text !== 'string') continue;
    for (const [, value = ''] of text.matchAll(/"(?:key|token|secret)":"([^"]{12,})"/g)) secrets.add(value);
    for (const [, value = ''] of text.matchAll(/#([\w:-]{20,})/g)) secrets.add(value);
    for (const [, value = ''] of text.matchAll(/weir[\w-]*=([^;]{20,});/g)) secrets.add(value.split('.')[1] ?? value);
  }
}

test('the log is searched, exported plain and packed, and verified over HTTP', async () => {
  const admin = world.admin;
  const found = await admin.json<{ items: AuditEvent[]; next_cursor: string | null }>('GET', '/api/v1/audit?action=user.*&decision=allowed&limit=3');
  expect(found.items).toHaveLength(3);
  expect(found.items.every(({ action }) => action.startsWith('user.'))).toBe(true);
  expect(found.next_cursor).not.toBeNull();
  expect((await admin.send('GET', '/api/v1/audit?cursor=nonsense')).status).toBe(400);
  expect((await admin.send('GET', '/api/v1/audit?unknown=1')).status).toBe(400);

  const verification = await admin.json<AuditVerification>('POST', '/api/v1/audit/verify');
  expect(verification).toMatchObject({ intact: true, first_bad: null });
  const keys = new Set(verification.keys.map((key) => key.public_key));
  const cookie = admin.evidence();
  for (const encoding of ['identity', 'gzip']) {
    const reply = await send(world.weir.url, { target: '/api/v1/audit/export', headers: { ...cookie, 'accept-encoding': encoding } });
    expect(reply.headers['content-encoding']).toBe(encoding === 'gzip' ? 'gzip' : undefined);
    const lines = (encoding === 'gzip' ? gunzipSync(reply.body) : reply.body).toString('utf8').trimEnd().split('\n');
    const verifier = new ExportVerifier(keys);
    for (const line of lines) verifier.add(line);
    const result = verifier.finish();
    expect(result.flaw).toBeUndefined();
    expect(result.events).toBeGreaterThan(50);
    expect(AuditEvent.parse(JSON.parse(lines.find((line) => line.includes('"previous_hash"')) ?? '')).sequence).toBe(1);
  }
});

test('while the log can not be written nobody gains a right, rights end all the same, and that is written afterwards', { timeout: 60_000 }, async () => {
  const { admin } = world;
  const leaving = await world.freshPrincipal();
  const { token, jti } = await admin.json<{ token: string; jti: string }>('POST', '/api/v1/tokens', { principal: 'other', expires_in: 600 });
  const session = await world.other.session();
  const operator = world.caller('operator');
  const [passkey, identity] = [await operator.own?.passkey() ?? '', await operator.own?.identity() ?? ''];
  await admin.json('POST', `/api/v1/principals/${leaving}/identities`, { issuer: 'https://idp.example', subject: leaving });
  const statusOf = async (method: string, target: string): Promise<number> => (await send(world.weir.url, { method, target, headers: operator.fresh })).status;
  const holder = (): Promise<Response> => fetch(`${world.weir.url}/api/v1/library`, { headers: { authorization: `Bearer ${token}` } });
  expect((await holder()).status).toBe(200);
  database.exec(`create trigger audit_is_full before insert on audit_event begin select raise(abort, 'no more'); end`);
  try {
    const names = ['late-1', 'late-2'];
    for (const name of names) {
      const reply = await admin.send('POST', '/api/v1/principals', { principal: name, role: 'admin' });
      expect([reply.status, ((await reply.json()) as { error: { code: string } }).error.code]).toEqual([503, 'audit.unavailable']);
    }
    expect((await admin.send('POST', '/api/v1/tokens', { expires_in: 60 })).status).toBe(503);
    expect((await admin.send('DELETE', `/api/v1/tokens/${jti}`)).status).toBe(204);
    expect((await holder()).status).toBe(401);
    expect((await admin.send('DELETE', `/auth/sessions/${session.id}`)).status).toBe(204);
    expect((await admin.send('POST', `/api/v1/principals/${leaving}/end-everything`)).status).toBe(204);
    expect(await statusOf('DELETE', `/auth/passkeys/${passkey}?last=true`)).toBe(204);
    expect(await statusOf('DELETE', identity)).toBe(204);
    expect(await statusOf('POST', '/auth/sessions/end-others')).toBe(204);
    expect(await statusOf('POST', '/auth/logout-everywhere')).toBe(204);
    expect((await admin.send('DELETE', `/api/v1/principals/${leaving}/identities?issuer=https://idp.example&subject=${leaving}`)).status).toBe(204);
    expect((await admin.send('PATCH', `/api/v1/principals/${leaving}`, { disabled: true, role: 'none' })).status).toBe(200);
    expect((await admin.send('PATCH', `/api/v1/principals/${leaving}`, { disabled: true, role: 'admin' })).status).toBe(503);
    expect(await admin.json('GET', `/api/v1/principals/${leaving}`)).toMatchObject({ disabled: true, role: 'none' });
    // Reading goes on.
    expect((await admin.send('GET', '/api/v1/library')).status).toBe(200);
    expect(database.prepare(`select count(*) as count from principal where id like 'late-%'`).get()).toEqual({ count: 0 });
  } finally {
    database.exec('drop trigger audit_is_full');
  }
  for (let tries = 0; (await admin.send('POST', '/api/v1/tokens', { expires_in: 60 })).status !== 201; tries += 1) {
    if (tries > 100) throw new Error('the log did not recover');
    await wait(50);
  }
  const late = database.prepare(`select action from audit_event where reason like '%while the audit could not be written%' order by sequence`).all();
  expect(late.map(({ action }) => action)).toEqual([
    'token.revoke', 'login_session.end', 'user.restrict', 'passkey.remove', 'identity.unlink', 'login_session.end', 'login_session.end', 'user.restrict', 'user.restrict',
  ]);
  expect(database.prepare(`select count(*) as count from audit_event where action = 'audit.resume'`).get()).toEqual({ count: 1 });
  expect(await admin.json('POST', '/api/v1/audit/verify')).toMatchObject({ intact: true });
});

test('webhooks of the configuration get each event once more after a kill, and the status says when one fails', { timeout: 120_000 }, async () => {
  const seen: string[] = [];
  let works = true;
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => { body += text; }).on('end', () => {
      if (works) seen.push(AuditDelivery.parse(JSON.parse(body)).event.object);
      response.writeHead(works ? 200 : 500).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  const url = `http://127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}/`;
  await using weir: TestWeir = await startWeir({ environment: { WEIR_AUDIT__WEBHOOKS: `[{ url = "${url}", events = ["user.write"], allow_networks = ["127.0.0.0/8"] }]` } });
  const admin = await weir.admin();
  const add = (name: string) => admin.json('POST', '/api/v1/principals', { principal: name, role: 'user' });
  const has = async (name: string): Promise<void> => {
    for (let tries = 0; !seen.includes(`principal:${name}`); tries += 1) {
      if (tries > 400) throw new Error(`${name} did not arrive: ${seen.join(' ')}`);
      await wait(50);
    }
  };
  await add('one');
  await has('one');
  works = false;
  await add('two');
  await add('three');
  await wait(1_500);
  await weir.kill('SIGKILL');
  works = true;
  await weir.start();
  await has('three');
  const order = ['one', 'two', 'three'].map((name) => seen.indexOf(`principal:${name}`));
  expect(order.toSorted((a, b) => a - b)).toEqual(order);
  server.closeAllConnections();
  server.close();
});
