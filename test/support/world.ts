/** One server with a principal of every role, each with things of its own, and another user whose things are foreign to all of them. */
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { Authenticator } from './authenticator.ts';
import { HeldJob } from './held-job.ts';
import { send } from './raw-http.ts';
import { startWeir, type Client, type TestWeir } from './weir.ts';

export const roles = ['none', 'viewer', 'client', 'worker', 'user', 'operator', 'admin'] as const;
export type RoleColumn = (typeof roles)[number];

type ContentNames = Readonly<{ cid: string; library: string }>;
/** Things of one principal. Each function gives one that nothing else in the test uses, but `content`, which stays. */
export type Belongings = Readonly<{
  content: ContentNames;
  spare(): Promise<ContentNames>;
  grant(): Promise<string>;
  token(): Promise<string>;
  /** Id and cookie. */
  session(): Promise<Readonly<{ id: string; cookie: string }>>;
  queuedJob(): Promise<string>;
  endedJob(): Promise<string>;
  passkey(): Promise<string>;
  /** A subject at the provider of this world. */
  identity(): Promise<string>;
}>;

export type Caller = Readonly<{
  role: RoleColumn; name: string; headers: Readonly<Record<string, string>>; own: Belongings | undefined;
  /** A session that was signed in a moment ago, for what asks for a fresh proof. */
  fresh: Readonly<Record<string, string>>;
}>;

const jsonHeaders = { 'content-type': 'application/json' };

export class World implements AsyncDisposable {
  readonly weir: TestWeir;
  readonly agent = new http.Agent({ keepAlive: true });
  readonly other: Belongings;
  readonly admin: Client;
  readonly publicCid: string;
  readonly protectedCid: string;
  readonly link: string;
  readonly held: HeldJob;
  readonly #callers: ReadonlyMap<RoleColumn, Caller>;
  #count = 0;

  constructor(parts: Pick<World, 'weir' | 'other' | 'admin' | 'publicCid' | 'protectedCid' | 'link' | 'held'> & { callers: ReadonlyMap<RoleColumn, Caller> }) {
    this.weir = parts.weir;
    this.other = parts.other;
    this.admin = parts.admin;
    this.publicCid = parts.publicCid;
    this.protectedCid = parts.protectedCid;
    this.link = parts.link;
    this.held = parts.held;
    this.#callers = parts.callers;
  }

  caller(role: RoleColumn): Caller {
    const caller = this.#callers.get(role);
    if (caller === undefined) throw new Error(role);
    return caller;
  }

  newName(): string { return `fresh-${this.#count += 1}`; }

  async freshPrincipal(): Promise<string> {
    const name = this.newName();
    await this.admin.json('POST', '/api/v1/principals', { principal: name, role: 'user' });
    return name;
  }

  /** An assertion of a new passkey of somebody else, for `POST /auth/passkey`. */
  async assertion(): Promise<object> {
    const authenticator = new Authenticator(pageOrigin(this.weir));
    await addPasskey(this.weir, await signIn(this.weir, await this.signInSecret()), authenticator);
    return authenticator.assert(await this.challenge('/auth/passkey/challenge', {}));
  }

  /** A registration for whoever has these headers; of nobody's challenge where they get none. */
  async registration(headers: Readonly<Record<string, string>>): Promise<object> {
    return new Authenticator(pageOrigin(this.weir)).register(await this.challenge('/auth/passkeys/challenge', headers));
  }

  async challenge(target: string, headers: Readonly<Record<string, string>>): Promise<{ challenge: string }> {
    const { status, text } = await send(this.weir.url, { method: 'POST', target, headers: { ...headers, ...atPage(this.weir) } });
    return status === 200 ? JSON.parse(text) as { challenge: string } : { challenge: randomBytes(32).toString('base64url') };
  }

  signInSecret(name = otherName): Promise<string> { return signInSecret(this.admin, name); }

  async invitation(): Promise<string> {
    return (await this.admin.json<{ link: string }>('POST', '/api/v1/workers/invites')).link.split('#')[1] ?? '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.held[Symbol.dispose]();
    this.agent.destroy();
    await this.weir[Symbol.asyncDispose]();
  }
}

export const otherName = 'other';

export async function buildWorld(): Promise<World> {
  const oidc = `[{ name = "idp", issuer = "${worldIssuer}", allow_networks = ["127.0.0.1"], client_id = "weir" }]`;
  const weir = await startWeir({ environment: { WEIR_FLEET__LEASE_SECONDS: '600', WEIR_FLEET__STALL_SECONDS: '86400', WEIR_IDENTITY__OIDC: oidc } });
  const admin = await weir.admin();
  await bundledClip(admin);
  const otherClient = await weir.principal(otherName, 'user');
  const live = await belongings(admin, otherClient);
  const theirs = await live.passkey();
  const other: Belongings = { ...live, passkey: async () => theirs };
  const callers = new Map<RoleColumn, Caller>([['none', { role: 'none', name: '', headers: {}, fresh: {}, own: undefined }]]);
  for (const role of roles) if (role !== 'none') callers.set(role, await makeCaller(weir, admin, role));
  const policy = async (level: string): Promise<string> => {
    const { cid } = await other.spare();
    await otherClient.json('PUT', `/api/v1/policies/${cid}`, { level });
    return cid;
  };
  const { url: link } = await otherClient.json<{ url: string }>('POST', '/api/v1/grants', { cid: other.content.cid });
  await otherClient.json('POST', '/api/v1/jobs', { recipe: 'mp4-h264', inputs: [{ cid: other.content.cid }], priority: 100 });
  const held = await HeldJob.take(weir.url, { ...callers.get('worker')?.headers });
  return new World({ weir, admin, other, callers, held, publicCid: await policy('public'), protectedCid: await policy('protected'), link: new URL(link).pathname + new URL(link).search });
}

/** Things are made while the principal is a user; then it gets its role. */
async function makeCaller(weir: TestWeir, admin: Client, role: RoleColumn): Promise<Caller> {
  const client = await weir.principal(`a-${role}`, 'user');
  const live = await belongings(admin, client);
  const own = await stockpile(live);
  const { cookie } = await live.session();
  if (role !== 'user') await admin.json('PATCH', `/api/v1/principals/${client.name}`, { role });
  return { role, name: client.name, headers: client.evidence(), fresh: { cookie, origin: weir.url }, own };
}

async function belongings(admin: Client, client: Client): Promise<Belongings> {
  const spare = async (): Promise<ContentNames> => {
    const cid = await client.upload(randomBytes(2_000));
    const { items } = await client.json<{ items: { library_id: string }[] }>('GET', '/api/v1/library?limit=1');
    return { cid, library: items[0]?.library_id ?? '' };
  };
  const content = await spare();
  await client.json('PUT', `/api/v1/policies/${content.cid}`, { level: 'private' });
  const queuedJob = async (): Promise<string> =>
    (await client.json<{ job_id: string }>('POST', '/api/v1/jobs', { recipe: 'probe', inputs: [{ cid: content.cid }] })).job_id;
  return {
    content, spare, queuedJob,
    grant: async () => (await client.json<{ grant_id: string }>('POST', '/api/v1/grants', { cid: content.cid })).grant_id,
    token: async () => (await client.json<{ jti: string }>('POST', '/api/v1/tokens', {})).jti,
    session: async () => signIn(client.weir, await signInSecret(admin, client.name)),
    passkey: async () => addPasskey(client.weir, await signIn(client.weir, await signInSecret(admin, client.name))),
    identity: async () => linkSubject(client.weir, client.name),
    endedJob: async () => {
      const job = await queuedJob();
      await client.json('POST', `/api/v1/jobs/${job}/cancel`);
      return job;
    },
  };
}

/** The same things made beforehand, a few of each. */
async function stockpile(live: Belongings): Promise<Belongings> {
  const several = async <T>(make: () => Promise<T>, count: number): Promise<() => Promise<T>> => {
    const made: T[] = [];
    for (let index = 0; index < count; index += 1) made.push(await make());
    return async () => {
      const next = made.pop();
      if (next === undefined) throw new Error('the stockpile is too small');
      return next;
    };
  };
  return {
    content: live.content, spare: await several(live.spare, 2), grant: await several(live.grant, 2), token: await several(live.token, 2),
    session: await several(live.session, 2), queuedJob: await several(live.queuedJob, 2), endedJob: await several(live.endedJob, 6),
    passkey: await several(live.passkey, 4), identity: live.identity,
  };
}

async function signInSecret(admin: Client, name: string): Promise<string> {
  return (await admin.json<{ link: string }>('POST', `/api/v1/principals/${name}/sign-in-link`)).link.split('#')[1] ?? '';
}

async function signIn(weir: TestWeir, secret: string): Promise<{ id: string; cookie: string }> {
  const reply = await weir.anonymous.fetch('/auth/login', { method: 'POST', headers: jsonHeaders, body: JSON.stringify({ secret }) });
  if (!reply.ok) throw new Error(await reply.text());
  const cookie = reply.headers.get('set-cookie')?.split(';')[0] ?? '';
  return { id: cookie.split('=')[1]?.split('.')[0] ?? '', cookie };
}

/** Nothing answers there. */
const worldIssuer = 'http://127.0.0.1:9';

/** A page at this name may have passkeys; the server answers to it as to its address. */
const pageOrigin = (weir: TestWeir): string => `http://localhost:${new URL(weir.url).port}`;
export const atPage = (weir: TestWeir): Record<string, string> => ({ host: new URL(pageOrigin(weir)).host, origin: pageOrigin(weir) });

async function addPasskey(weir: TestWeir, { cookie }: { cookie: string }, authenticator = new Authenticator(pageOrigin(weir))): Promise<string> {
  const ask = async (target: string, body?: unknown): Promise<unknown> => {
    const reply = await send(weir.url, { method: 'POST', target, headers: { ...atPage(weir), cookie, ...jsonHeaders }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    if (reply.status >= 300) throw new Error(reply.text);
    return JSON.parse(reply.text);
  };
  const registration = authenticator.register(await ask('/auth/passkeys/challenge') as { challenge: string });
  return (await ask('/auth/passkeys', { name: 'A key', registration }) as { passkey_id: string }).passkey_id;
}

/** Only a person in a browser can link a subject; the row is what this comes to. */
function linkSubject(weir: TestWeir, principal: string): string {
  using database = openDatabase(weir);
  const subject = randomBytes(8).toString('hex');
  database.prepare('insert into external_identity (issuer, subject, principal, created_at) values (?, ?, ?, 0)').run(worldIssuer, subject, principal);
  return `/auth/identities?${new URLSearchParams({ issuer: worldIssuer, subject, last: 'true' }).toString()}`;
}

const openDatabase = (weir: TestWeir): DatabaseSync & Disposable => {
  const database = new DatabaseSync(path.join(weir.dataPath, 'weir.db'), { timeout: 5_000 });
  return Object.assign(database, { [Symbol.dispose]: () => database.close() });
};

/** The clip that a new instance takes in by itself is there, and its job is queued. */
export async function bundledClip(admin: Client): Promise<void> {
  for (;;) {
    if ((await admin.json<{ items: unknown[] }>('GET', '/api/v1/jobs')).items.length > 0) return;
    await wait(25);
  }
}
