/** Tickets: once, for one thing, within half a minute; and the cookie that a ticket for content becomes. */
import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { upgradeStatus } from './support/held-job.ts';
import { PacedReader, send } from './support/raw-http.ts';
import { dffmpegSigned, startWeir, Client, type TestWeir } from './support/weir.ts';

let weir: TestWeir;
let admin: Client;
let alice: Client;
let bob: Client;
let cid: string;
const bytes = randomBytes(4_000_000);
beforeAll(async () => {
  weir = await startWeir({ environment: { WEIR_STREAMING_SECURITY__ALLOW_QUERY_TOKENS: 'true' } });
  admin = await weir.admin();
  [alice, bob] = [await weir.principal('alice', 'user'), await weir.principal('bob', 'user')];
  cid = await alice.upload(bytes);
});
afterAll(() => weir[Symbol.asyncDispose]());

const ticketOf = async (by: Client, body: object): Promise<string> => (await by.json<{ ticket: string }>('POST', '/api/v1/tickets', body)).ticket;
const forContent = (by: Client = alice): Promise<string> => ticketOf(by, { action: 'content.read', object: cid });
const at = (ticket: string, name = cid, more = ''): string => `/api/v1/content/${name}?ticket=${ticket}${more}`;
const status = async (target: string, headers: Record<string, string> = {}): Promise<number> => (await send(weir.url, { target, headers: { range: 'bytes=0-9', ...headers } })).status;
/** Exchanges a ticket; the cookie and the address that it is for. */
async function exchange(ticket: string): Promise<{ cookie: string; location: string; attributes: string }> {
  const reply = await send(weir.url, { target: at(ticket) });
  expect(reply.status).toBe(302);
  const [cookie = '', ...attributes] = reply.headers['set-cookie']?.[0]?.split('; ') ?? [];
  return { cookie, location: String(reply.headers.location), attributes: attributes.join('; ') };
}

test('a ticket for a content becomes a cookie of its address, and the address loses the ticket', async () => {
  const reply = await send(weir.url, { target: at(await forContent(), cid, '&download=1') });
  expect([reply.status, reply.headers.location, reply.body.length]).toEqual([302, `/api/v1/content/${cid}?download=1`, 0]);
  const { cookie, location, attributes } = await exchange(await forContent());
  expect(location).toBe(`/api/v1/content/${cid}`);
  expect(attributes).toMatch(new RegExp(`^Path=/api/v1/content/${cid}; Max-Age=(4[0-9]{4}|[0-9]{1,4}|[0-9]{5}); HttpOnly; SameSite=Strict$`));
  const whole = await send(weir.url, { target: location, headers: { cookie } });
  expect([whole.status, whole.body.equals(bytes)]).toEqual([200, true]);
  expect((await send(weir.url, { target: location, headers: { cookie, range: 'bytes=5-9' } })).body.equals(bytes.subarray(5, 10))).toBe(true);
  expect(await status(location)).toBe(404);
});

test('a ticket works once, also when many ask at once', async () => {
  const ticket = await forContent();
  const codes = await Promise.all(Array.from({ length: 20 }, () => status(at(ticket))));
  expect([codes.filter((code) => code === 302).length, codes.filter((code) => code === 401).length]).toEqual([1, 19]);
  expect(await status(at(ticket))).toBe(401);
});

test('a ticket is for its action and object alone, is no other token, and no other token is one', async () => {
  const other = await alice.upload(randomBytes(100));
  const { job_id: job } = await alice.json<{ job_id: string }>('POST', '/api/v1/jobs', { recipe: 'probe', inputs: [{ cid }] });
  const ticket = await forContent();
  for (const target of [at(ticket, other), `/api/v1/jobs/${job}?ticket=${ticket}`, `/api/v1/jobs?ticket=${ticket}`, `/api/v1/permissions?ticket=${ticket}`, `/api/v1/content/${cid}?owner=alice&ticket=${ticket}`]) expect(await status(target), target).toBe(401);
  expect((await send(weir.url, { method: 'DELETE', target: at(ticket) })).status).toBe(401);
  expect(await status(`/api/v1/content/${cid}`, { authorization: `Bearer ${ticket}` })).toBe(401);
  const token = alice.evidence()['authorization']?.slice(7) ?? '';
  for (const wrong of [token, 'x', `${ticket}x`]) expect(await status(at(wrong))).toBe(401);
  // None of that used it up.
  expect(await status(at(ticket))).toBe(302);
  const { cookie } = await exchange(await forContent());
  expect((await send(weir.url, { method: 'DELETE', target: `/api/v1/content/${cid}`, headers: { cookie } })).status).toBe(401);
  expect(await status(`/api/v1/content/${other}`, { cookie })).toBe(401);
  expect(await status(at(cookie.split('=')[1] ?? ''))).toBe(401);
});

test('a ticket beside evidence that names another is refused, and beside the same one accepted', async () => {
  expect(await status(at(await forContent()), bob.evidence())).toBe(401);
  expect(await status(at(await forContent()), alice.evidence())).toBe(302);
  const { token } = await alice.json<{ token: string }>('POST', '/api/v1/grants', { cid });
  expect(await status(`${at(await forContent())}&grant=${token}`)).toBe(401);
  const ticket = await forContent();
  expect(await status(`${at(ticket)}&ticket=${ticket}`)).toBe(401);
  const { cookie, location } = await exchange(await forContent());
  expect(await status(location, { cookie, ...bob.evidence() })).toBe(401);
  expect(await status(location, { cookie, ...alice.evidence() })).toBe(206);
});

test('nobody gets a ticket for what is not open to him', async () => {
  expect((await bob.send('POST', '/api/v1/tickets', { action: 'content.read', object: cid })).status).toBe(404);
  expect((await weir.anonymous.send('POST', '/api/v1/tickets', { action: 'content.read', object: cid })).status).toBe(401);
  expect((await alice.send('POST', '/api/v1/tickets', { action: 'content.delete', object: cid })).status).toBe(400);
  expect((await alice.send('POST', '/api/v1/tickets', { action: 'content.read' })).status).toBe(400);
  expect((await alice.send('POST', '/api/v1/tickets', { action: 'worker.connect' })).status).toBe(403);
});

test('a ticket and its cookie carry no more than the token that they came of', async () => {
  const { token } = await alice.json<{ token: string }>('POST', '/api/v1/tokens', { permissions: ['use_account', 'read_content'] });
  const narrow = new Client(weir, 'alice', () => ({ authorization: `Bearer ${token}` }));
  const { cookie, location } = await exchange(await forContent(narrow));
  expect(await status(location, { cookie })).toBe(206);
  await alice.json('PUT', `/api/v1/policies/${cid}`, { level: 'private', required_permissions: ['share_content'] });
  expect(await status(location, { cookie })).toBe(403);
  const full = await exchange(await forContent());
  expect(await status(full.location, { cookie: full.cookie })).toBe(206);
  await alice.json('DELETE', `/api/v1/policies/${cid}`);
});

let readers = 0;
test.each(['its token is revoked', 'its session ends', 'all is ended', 'the policy no longer admits', 'its grant is revoked', 'the principal is disabled'] as const)('a cookie, and what is read by it, ends within a second when %s', async (what) => {
  const film = await alice.upload(randomBytes(20_000_000));
  const reader = await weir.principal(`reader-${readers += 1}`, 'viewer');
  const open = { action: 'content.read', object: film };
  let ticket: string;
  let end: () => Promise<unknown>;
  if (what === 'its grant is revoked') {
    const grant = await alice.json<{ grant_id: string; token: string }>('POST', '/api/v1/grants', { cid: film });
    ticket = await ticketOf(reader, { ...open, grant: grant.token });
    end = () => alice.json('DELETE', `/api/v1/grants/${grant.grant_id}`);
  } else {
    await alice.json('PUT', `/api/v1/policies/${film}`, { level: 'protected' });
    if (what === 'its token is revoked') {
      const { token, jti } = await reader.json<{ token: string; jti: string }>('POST', '/api/v1/tokens', {});
      const made = await weir.anonymous.fetch('/api/v1/tickets', { method: 'POST', body: JSON.stringify(open), headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' } });
      ticket = ((await made.json()) as { ticket: string }).ticket;
      end = () => reader.json('DELETE', `/api/v1/tokens/${jti}`);
    } else if (what === 'its session ends') {
      const { link } = await admin.json<{ link: string }>('POST', `/api/v1/principals/${reader.name}/sign-in-link`);
      const reply = await weir.anonymous.send('POST', '/auth/login', { secret: link.split('#')[1] });
      const cookie = reply.headers.get('set-cookie')?.split(';')[0] ?? '';
      const made = await weir.anonymous.fetch('/api/v1/tickets', { method: 'POST', body: JSON.stringify(open), headers: { cookie, origin: weir.url, 'content-type': 'application/json' } });
      ticket = ((await made.json()) as { ticket: string }).ticket;
      end = () => reader.json('DELETE', `/auth/sessions/${/=([0-9A-Z]{26})\./.exec(cookie)?.[1] ?? ''}`);
    } else {
      ticket = await ticketOf(reader, open);
      end = () => (what === 'all is ended' ? admin.json('POST', `/api/v1/principals/${reader.name}/end-everything`)
        : what === 'the principal is disabled' ? admin.json('PATCH', `/api/v1/principals/${reader.name}`, { disabled: true })
          : alice.json('PUT', `/api/v1/policies/${film}`, { level: 'private' }));
    }
  }
  const exchanged = await send(weir.url, { target: `/api/v1/content/${film}?ticket=${ticket}` });
  const cookie = exchanged.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
  const target = String(exchanged.headers.location);
  using watching = new PacedReader(weir.url, target, { cookie }, 1_000_000);
  await watching.has(200_000);
  expect(watching.status).toBe(200);
  await end();
  const endedAt = performance.now();
  expect([401, 403, 404]).toContain(await status(target, { cookie }));
  await watching.ended;
  expect((watching.endedAt ?? Infinity) - endedAt).toBeLessThanOrEqual(1_000);
});

test('a ticket opens a stream of events, which lasts longer than the ticket would', async () => {
  const { job_id: job } = await alice.json<{ job_id: string }>('POST', '/api/v1/jobs', { recipe: 'probe', inputs: [{ cid }] });
  const one = await ticketOf(alice, { action: 'job.read', object: `job:${job}` });
  expect(await status(`/api/v1/jobs/events?ticket=${one}`)).toBe(401);
  using events = new PacedReader(weir.url, `/api/v1/jobs/${job}/events?ticket=${one}`, {}, 1_000_000);
  await events.has(1);
  expect(events.status).toBe(200);
  expect((await send(weir.url, { target: `/api/v1/jobs/${job}/events?ticket=${one}` })).status).toBe(401);
  const all = await ticketOf(alice, { action: 'job.read' });
  expect(await status(`/api/v1/jobs/events?owner=bob&ticket=${all}`)).toBe(401);
  using list = new PacedReader(weir.url, `/api/v1/jobs/events?ticket=${all}`, {}, 1_000_000);
  await list.has(1);
  expect(list.status).toBe(200);
});

test('a ticket opens a socket once', async () => {
  const machine = await weir.principal('machine', 'worker');
  await admin.json('PATCH', '/api/v1/principals/machine', { permissions: ['use_account'] });
  const body = JSON.stringify({ action: 'worker.connect' });
  const made = await weir.anonymous.fetch('/api/v1/tickets', { method: 'POST', body, headers: { 'content-type': 'application/json', ...dffmpegSigned('machine', machine.key, 'POST', '/api/v1/tickets', body) } });
  expect(made.status).toBe(201);
  const { ticket } = (await made.json()) as { ticket: string };
  expect(await upgradeStatus(weir.url, `/api/v1/workers/connect?ticket=${await forContent()}`, {})).toBe(401);
  expect(await upgradeStatus(weir.url, `/api/v1/workers/connect?ticket=${ticket}`, {})).toBe(101);
  expect(await upgradeStatus(weir.url, `/api/v1/workers/connect?ticket=${ticket}`, {})).toBe(401);
});

test('a token in the address counts where that is allowed, and no secret of an address is logged', async () => {
  const token = alice.evidence()['authorization']?.slice(7) ?? '';
  expect(await status(`/api/v1/content/${cid}?token=${token}`)).toBe(206);
  expect(await status(`/api/v1/content/${cid}?token=${token}`, bob.evidence())).toBe(401);
  expect(await status(`/api/v1/content/${cid}?token=x`)).toBe(401);
  const ticket = await forContent();
  await status(at(ticket));
  await status(at(ticket));
  await status(`/api/v1/nothing?token=${token}&ticket=${ticket}`);
  await wait(200);
  expect(weir.log).not.toContain(token.slice(0, 40));
  expect(weir.log).not.toContain(ticket.slice(-40));
  await using strict = await startWeir();
  const carol = await strict.principal('carol', 'user');
  const own = await carol.upload(randomBytes(10));
  const reply = await send(strict.url, { target: `/api/v1/content/${own}?token=${carol.evidence()['authorization']?.slice(7) ?? ''}` });
  expect(reply.status).toBe(400);
});
