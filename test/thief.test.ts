/** Who takes the disk gets nothing: no media, no secret, no working copy; and who changes it is noticed. */
import { chmod, chown, cp, mkdir, open, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { send } from './support/raw-http.ts';
import { StoredState } from './support/state.ts';
import { privateFolder, startWeir, TestWeir, testUser } from './support/weir.ts';

const clip = await readFile(new URL('../packages/fleet/assets/clip.mp4', import.meta.url));
let weir: TestWeir;
let clipCid = '';
/** What must be nowhere on the disk, by what it is. */
const secrets = new Map<string, string>();
const media = new Map<string, Buffer>([['the clip', clip]]);

beforeAll(async () => {
  weir = await startWeir({ worker: true });
  secrets.set('the sign-in secret of the start', weir.ready.signInLink?.split('#')[1] ?? '');
  const admin = await weir.admin();
  secrets.set('the cookie of the admin', admin.evidence()['cookie']?.split('.')[1] ?? '');
  const alice = await weir.principal('alice', 'user');
  secrets.set('a request-signing key', alice.key);
  secrets.set('a bearer token', alice.evidence()['authorization']?.split(' ')[1] ?? '');
  const link = await admin.json<{ link: string }>('POST', '/api/v1/principals/alice/sign-in-link');
  secrets.set('an unused sign-in secret', link.link.split('#')[1] ?? '');
  const invite = await admin.json<{ link: string }>('POST', '/api/v1/workers/invites');
  secrets.set('an invitation', invite.link.split('#')[1] ?? '');
  clipCid = await alice.upload(clip, 'clip.mp4');
  await alice.json('PUT', `/api/v1/policies/${clipCid}`, { level: 'private', allowed_users: ['admin'] });
  const grant = await alice.json<{ token: string }>('POST', '/api/v1/grants', { cid: clipCid });
  secrets.set('the token of a grant', grant.token);
  expect((await weir.anonymous.fetch(`/api/v1/content/${clipCid}?grant=${grant.token}`)).status).toBe(200);
  expect((await weir.anonymous.send('POST', '/auth/login', { secret: 'x'.repeat(43) })).status).toBe(401);
  const job = await alice.json<{ job_id: string }>('POST', '/api/v1/jobs', { recipe: 'mp4-h264', parameters: { height: 144, preset: 'ultrafast' }, inputs: [{ cid: clipCid }] });
  for (;;) {
    const { state, outputs } = await alice.json<{ state: string; outputs: { cid: string }[] }>('GET', `/api/v1/jobs/${job.job_id}`);
    if (state === 'completed') {
      media.set('the transcoded clip', Buffer.from(await (await alice.get(outputs[0]?.cid ?? '')).arrayBuffer()));
      break;
    }
    expect(['queued', 'assigned', 'running', 'verifying']).toContain(state);
    await wait(100);
  }
  // Until the job of the bundled clip is done as well: what is in the scratch folders then is what a job leaves.
  for (;;) {
    if ((await admin.json<{ items: { state: string }[] }>('GET', '/api/v1/jobs')).items.every(({ state }) => state === 'completed')) break;
    await wait(100);
  }
}, 90_000);
afterAll(async () => { await weir[Symbol.asyncDispose](); });

test('no 40 bytes in a row of a media file are in any file of the server, nor in its log', async () => {
  const windows = new Map<number, Buffer>();
  for (const bytes of media.values()) addWindows(windows, bytes);
  expect(windows.size).toBeGreaterThan(20_000);
  expect(findWindow(windows, Buffer.concat([Buffer.alloc(5), clip.subarray(500_000, 500_040)])), 'the search itself works').toBeDefined();
  for (const [name, bytes] of await everything()) expect(findWindow(windows, bytes), name).toBeUndefined();
});

test('no token, key, cookie or one-time secret is in any file of the data directory, nor in the log', async () => {
  for (const [name, bytes] of await everything()) {
    for (const [what, secret] of secrets) {
      expect(secret.length, what).toBeGreaterThan(20);
      for (const form of formsOf(secret)) expect(bytes.includes(form), `${what} is in ${name}`).toBe(false);
    }
  }
});

test('the master key is not in the data directory, and nobody else can read what is there', async () => {
  const [file = ''] = await readdir(weir.keysPath);
  const key = JSON.stringify(JSON.parse(await readFile(path.join(weir.keysPath, file), 'utf8')));
  const values = [...key.matchAll(/"([A-Za-z0-9+/_=-]{40,})"/g)].map(([, value = '']) => value);
  expect(values.length).toBeGreaterThan(0);
  for (const [name, bytes] of await everything()) for (const value of values) for (const form of formsOf(value)) expect(bytes.includes(form), name).toBe(false);
  for (const folder of [weir.dataPath, weir.keysPath]) {
    await using handle = await open(folder);
    expect((await handle.stat()).mode & 0o077).toBe(0);
  }
});

test.each(['without its key', 'with a key of another'])('a copy of the data directory %s does not start, and is not changed', async (which) => {
  const home = await privateFolder('weir-thief-');
  const copy = new TestWeir(home, {});
  try {
    await mkdir(copy.keysPath, { mode: 0o700 });
    await snapshot(weir, copy.dataPath);
    if (which === 'with a key of another') await anotherKey(copy);
    await own(home);
    using state = new StoredState(copy.dataPath);
    const before = state.digest();
    const blobs = await filesOf(path.join(copy.dataPath, 'blobs'));
    const problem = await copy.start().then(() => '', (error: unknown) => String(error));
    expect(problem).toContain(which === 'without its key' ? 'keys.lost' : 'keys.wrong');
    expect(problem).not.toContain('"secret"');
    expect(state.digest()).toBe(before);
    expect(await filesOf(path.join(copy.dataPath, 'blobs'))).toEqual(blobs);
  } finally {
    await copy[Symbol.asyncDispose]();
  }
});

test('a flipped byte in a stored blob is a failure that says so, and never changed bytes', async () => {
  const [admin, bob] = [await weir.admin(), await weir.principal('bob', 'user')];
  const bytes = clip.subarray(0, 1_300_000);
  const cid = await bob.upload(Uint8Array.from(bytes));
  using state = new StoredState(weir.dataPath);
  const blob = String(state.rows('select blob from holding where owner = ?', 'bob')[0]?.['blob']);
  const file = path.join(weir.dataPath, 'blobs', blob.slice(0, 2), blob.slice(2, 4), blob);
  const { length } = await readFile(file);
  for (const position of [0, 30, 57, 5_000, 400_000, Math.floor(length / 2), length - 20, length - 1]) {
    await flip(file, position);
    const reply = await send(weir.url, { target: `/api/v1/content/${cid}`, headers: bob.evidence() }).catch(() => undefined);
    // Undefined: reset before the head of the reply had arrived.
    if (reply?.status === 500) expect(JSON.parse(reply.text)).toMatchObject({ error: { code: 'content.damaged' } });
    else if (reply !== undefined) {
      expect(reply.complete).toBe(false);
      expect(bytes.subarray(0, reply.body.length).equals(reply.body), `position ${position}`).toBe(true);
    }
    await flip(file, position);
  }
  expect(Buffer.from(await (await bob.get(cid)).arrayBuffer()).equals(bytes)).toBe(true);
  expect(weir.log).toContain('content.damaged');
  expect((await admin.send('POST', '/api/v1/audit/verify')).status).toBe(200);
});

/** All files under the home but the keys, and the log. */
async function everything(): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>([['the log', Buffer.from(weir.log)]]);
  for (const [name, bytes] of await filesOf(weir.home)) if (!name.startsWith('keys/')) files.set(name, bytes);
  expect(files.size).toBeGreaterThan(4);
  return files;
}

async function filesOf(folder: string): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    // Closing any descriptor of the lock in the process that holds it would drop it; this is another process.
    if (entry.isFile()) files.set(path.relative(folder, file), await readFile(file));
  }
  return files;
}

/** Windows of 32 bytes at every eighth position, found by their first six bytes; dull ones (padding) are left out. */
function addWindows(windows: Map<number, Buffer>, bytes: Buffer): void {
  for (let at = 0; at + 32 <= bytes.length; at += 8) {
    const window = bytes.subarray(at, at + 32);
    if (new Set(window).size >= 20) windows.set(window.readUIntBE(0, 6), window);
  }
}

function findWindow(windows: ReadonlyMap<number, Buffer>, bytes: Buffer): number | undefined {
  for (let at = 0; at + 32 <= bytes.length; at += 1) {
    const window = windows.get(bytes.readUIntBE(at, 6));
    if (window !== undefined && bytes.subarray(at, at + 32).equals(window)) return at;
  }
  return undefined;
}

/** As text, and the bytes that the text stands for. Of a token the signature alone is enough to look for. */
function formsOf(secret: string): Buffer[] {
  const last = secret.split('.').at(-1) ?? secret;
  const forms = [Buffer.from(secret), Buffer.from(last), Buffer.from(last, 'base64')];
  return forms.filter((form) => form.length >= 16);
}

/** A consistent copy of a running server's directory, as a backup makes it. */
async function snapshot(from: TestWeir, to: string): Promise<void> {
  await mkdir(to, { mode: 0o700 });
  await cp(path.join(from.dataPath, 'blobs'), path.join(to, 'blobs'), { recursive: true });
  using database = new DatabaseSync(path.join(from.dataPath, 'weir.db'), { readOnly: true });
  database.exec(`vacuum into '${path.join(to, 'weir.db')}'`);
  await chmod(path.join(to, 'weir.db'), 0o600);
}

/** The key file of the name that is looked for, with the key of a new instance in it. */
async function anotherKey(copy: TestWeir): Promise<void> {
  await using stranger = await startWeir();
  const [own = ''] = await readdir(weir.keysPath);
  const [theirs = ''] = await readdir(stranger.keysPath);
  await cp(path.join(stranger.keysPath, theirs), path.join(copy.keysPath, own));
}

async function own(folder: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) await chown(path.join(entry.parentPath, entry.name), testUser, testUser);
}

async function flip(file: string, position: number): Promise<void> {
  await using handle = await open(file, 'r+');
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, position);
  byte[0] = (byte[0] ?? 0) ^ 1;
  await handle.write(byte, 0, 1, position);
}
