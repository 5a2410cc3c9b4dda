/** What goes wrong at the start and on the machine is said with the next step, and loses nothing. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { send } from './support/raw-http.ts';
import { startWeir, TestWeir, testUser, type WeirOptions } from './support/weir.ts';

const isRoot = process.getuid?.() === 0;

/** What a start that must fail says. */
async function problemOf(options: WeirOptions): Promise<string> {
  try {
    await using _weir = await startWeir(options);
  } catch (error) {
    return String(error);
  }
  throw new Error('the server started');
}

/** The same for one more start over a home that is there. */
async function problemOfSecond(home: string, environment: Record<string, string> = {}): Promise<string> {
  const second = new TestWeir(home, { environment });
  try {
    await second.start();
  } catch (error) {
    return String(error);
  }
  await second.kill();
  throw new Error('the server started');
}

test('a port in use is named, with what to do', async () => {
  const taken = net.createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const address = taken.address();
  const port = typeof address === 'object' && address !== null ? String(address.port) : '';
  const problem = await problemOf({ environment: { WEIR_SERVER__PORT: port } });
  expect(problem).toContain('server.port_used');
  expect(problem).toMatch(new RegExp(`Port ${port} on 127\\.0\\.0\\.1 is in use.*--port`));
  taken.close();
});

test('a second server on the same data directory names the process that has it, which goes on', async () => {
  await using weir = await startWeir();
  const problem = await problemOfSecond(weir.home);
  expect(problem).toContain('data.locked');
  expect(problem).toContain(`process ${weir.pid}`);
  expect((await weir.anonymous.fetch('/healthz')).status).toBe(200);
  // It may have the directory once the first is gone, however that ended.
  await weir.kill('SIGKILL');
  await weir.start();
});

test('a data directory of a newer version and one without its master key are not touched', async () => {
  await using weir = await startWeir();
  const alice = await weir.principal('alice', 'user');
  const cid = await alice.upload(Buffer.from('stays'));
  await weir.kill('SIGTERM');
  const [file = ''] = await readdir(weir.keysPath);
  const key = path.join(weir.keysPath, file);
  await rename(key, `${key}.away`);
  const lost = await problemOfSecond(weir.home);
  expect(lost).toContain('keys.lost');
  expect(lost).toContain(key);
  await rename(`${key}.away`, key);
  migrations(weir, `insert into kysely_migration (name, timestamp) values ('9999-from-the-future', '2099-01-01')`);
  const newer = await problemOfSecond(weir.home);
  expect(newer).toContain('data.newer');
  expect(newer).toMatch(/newer version of Weir/);
  migrations(weir, `delete from kysely_migration where name = '9999-from-the-future'`);
  await weir.start();
  expect(await (await alice.get(cid)).text()).toBe('stays');
});

function migrations(weir: TestWeir, statement: string): void {
  using database = new DatabaseSync(path.join(weir.dataPath, 'weir.db'));
  database.exec(statement);
}

test.each([
  ['[server]\nport = \n', /:2:\d+: /], ['[server]\naddress = "127.0.0.1', /:2:\d+: /], ['[server\nport = 1\n', /:1:\d+: /],
  ['[server]\nprot = 4545\n', /:2:1: unknown setting "prot" in \[server\]\. Did you mean "port"\?/], ['\n\n[sever]\nport = 1\n', /:3:1: unknown setting "sever"\. Did you mean "server"\?/],
  ['[server]\n\n  max_connections = 1\n', /:3:3: \[server\] max_connections: /], ['[server]\nmax_connections = "x"\n', /:2:1: \[server\] max_connections: /], ['[permissions]\ndefault_role = "No Role"\n', /:2:1: \[permissions\] default_role: a role is named/],
  ['[permissions]\ndefault_role = "chef"\n', /:2:1: \[permissions\] default_role: "chef" is not a role/], ['[server]\ntrusted_proxies = ["10.0.0.0/33"]\n', /:2:\d+: .*trusted_proxies/],
])('a configuration of %j is refused with its place', async (text, expected) => {
  const file = `/tmp/weir-test-${randomBytes(6).toString('hex')}.toml`;
  await writeFile(file, text, { mode: 0o644 });
  await using files = new AsyncDisposableStack();
  files.defer(() => rm(file));
  const problem = await problemOf({ environment: { WEIR_CONFIG: file } });
  expect(problem).toContain('config.invalid');
  expect(problem).toMatch(expected);
});

test('an unknown setting of the environment is refused by its name', async () => {
  expect(await problemOf({ environment: { WEIR_SERVER__PROT: '1' } })).toMatch(/WEIR_SERVER__PROT: unknown setting "prot" in \[server\]\. Did you mean "port"\?/);
  expect(await problemOf({ environment: { WEIR_CONFIG: '/tmp/no-such-file.toml' } })).toContain('There is no configuration file /tmp/no-such-file.toml');
});

test('an address that others reach is refused without TLS or a proxy, with what to set', async () => {
  const problem = await problemOf({ environment: { WEIR_SERVER__ADDRESS: '0.0.0.0' } });
  expect(problem).toContain('config.invalid');
  expect(problem).toMatch(/does not listen on 0\.0\.0\.0.*tls = true, or behind_proxy = true.*allow_insecure_no_auth/);
  const open = await problemOf({ environment: { WEIR_SERVER__ADDRESS: '0.0.0.0', WEIR_SERVER__TLS: 'true', WEIR_PERMISSIONS__DEFAULT_ROLE: 'user' } });
  expect(open).toMatch(/default_role = "user" lets strangers/);
  await using allowed = await startWeir({ environment: { WEIR_SERVER__ADDRESS: '0.0.0.0', WEIR_PERMISSIONS__ALLOW_INSECURE_NO_AUTH: 'true' } });
  expect((await (await allowed.admin()).json<{ warnings: { code: string }[] }>('GET', '/api/v1/status')).warnings.map(({ code }) => code)).toContain('bind.insecure');
});

test.each([
  ['FFMPEG_PATH leads nowhere', { FFMPEG_PATH: '/nonexistent/ffmpeg' }, /FFMPEG_PATH must name an ffmpeg/], ['nothing is installed', { PATH: '/nonexistent' }, /apt-get install \S*ffmpeg/],
] as const)('without ffmpeg (%s) the server runs, and a job is answered with what to do', async (_how, environment, expected) => {
  await using weir = await startWeir({ worker: true, environment });
  const alice = await weir.principal('alice', 'user');
  const cid = await alice.upload(Buffer.from('film'));
  const reply = await alice.send('POST', '/api/v1/jobs', { recipe: 'probe', inputs: [{ cid }] });
  expect(reply.status).toBe(503);
  const { error } = await reply.json() as { error: { code: string; message: string } };
  expect(error.code).toBe('system.missing');
  expect(error.message).toMatch(expected);
  expect(await alice.json('GET', '/api/v1/status')).toMatchObject({ fleet: { available: false, reason: expect.stringMatching(expected) } });
});

test.runIf(isRoot)('on a full disk an upload is 507 and leaves nothing, and what was stored before still reads', async () => {
  await using weir = await startWeir({ wrap: onSmallDisk, environment: { WEIR_FLEET__ENABLED: 'false' } });
  const alice = await weir.principal('alice', 'user');
  const bytes = randomBytes(8_000_000);
  const cid = await alice.upload(bytes);
  for (let round = 0; round < 3; round += 1) {
    const reply = await send(weir.url, { method: 'POST', target: '/api/v1/content', headers: { ...alice.evidence(), 'content-type': 'application/octet-stream' }, body: randomBytes(20_000_000) });
    expect(reply.status).toBe(507);
    expect(JSON.parse(reply.text)).toMatchObject({ error: { code: 'storage.full', message: expect.stringContaining('Free space') } });
  }
  expect(Buffer.from(await (await alice.get(cid)).arrayBuffer()).equals(bytes)).toBe(true);
  // There is room again: nothing of the refused ones was kept.
  const small = await alice.upload(randomBytes(2_000_000));
  expect((await alice.json<{ items: { cid: string }[] }>('GET', '/api/v1/library')).items.map((item) => item.cid)).toEqual([small, cid]);
  await wait(1_100);
  expect(await (await weir.admin()).json('POST', '/api/v1/audit/verify')).toMatchObject({ intact: true });
});

/** 24 MiB of memory as the data directory, seen by the server alone. */
const onSmallDisk = (weir: TestWeir): readonly string[] => ['unshare', '--mount', '--propagation', 'private', 'sh', '-c',
  `mount -t tmpfs -o size=24m,mode=0700,uid=${testUser},gid=${testUser} tmpfs "${weir.dataPath}" && exec setpriv --reuid ${testUser} --regid ${testUser} --clear-groups -- "$0" "$@"`];
