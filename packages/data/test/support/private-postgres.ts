/**
 * One PostgreSQL server for a test run: its own data in a temporary folder, a free loopback port, never root, stopped and removed when the
 * run ends in whatever way. Every test gets a database of its own.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';

const programs = '/usr/lib/postgresql/15/bin';
const START_TIMEOUT_MS = 60_000;

/** Why there is no PostgreSQL here, or undefined if there is. */
export function postgresMissing(): string | undefined {
  return existsSync(join(programs, 'postgres')) ? undefined : 'PostgreSQL is not installed (apt install postgresql-15)';
}

/** Creates an empty database, or a copy of `template`, and returns its address. */
export async function createDatabase(template = 'template0'): Promise<string> {
  const server = await serverAddress();
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const client = new pg.Client({ connectionString: `${server}/postgres` });
  await client.connect();
  try {
    await client.query(`create database ${name} template ${template}`);
  } finally {
    await client.end();
  }
  return `${server}/${name}`;
}

let address: Promise<string> | undefined;

function serverAddress(): Promise<string> {
  return address ??= sharedServer();
}

/** The test processes of one run find each other by the run's process: the first one starts the server, the others wait for its address. */
async function sharedServer(): Promise<string> {
  const run = process.env['VITEST_POOL_ID'] === undefined ? process.pid : process.ppid;
  const folder = join(tmpdir(), `weir-test-postgres-${run}`);
  const addressFile = join(folder, 'address');
  if (await makeFolder(folder)) await start(run, folder, addressFile);
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!existsSync(addressFile)) {
    if (Date.now() > deadline) throw new Error(`PostgreSQL did not start; see ${folder}/log`);
    await setTimeout(50);
  }
  return readFile(addressFile, 'utf8');
}

async function makeFolder(folder: string): Promise<boolean> {
  try {
    await mkdir(folder, { mode: 0o755 });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Everything runs under a small guard that looks for the run's process twice a second, because a killed run can't clean up itself. */
const guard = `
run=$1 folder=$2 port=$3 programs=$4
shift 4
mkdir "$folder/data"
[ "$(id -u)" -ne 0 ] || chown postgres:postgres "$folder/data"
"$@" "$programs/initdb" -D "$folder/data" -U postgres -A trust --no-sync -E UTF8 --locale=C || exit 1
"$@" "$programs/postgres" -D "$folder/data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
  -c fsync=off -c shared_buffers=32MB -c max_connections=200 &
server=$!
while kill -0 "$run" && kill -0 "$server"; do sleep 0.5; done 2>/dev/null
kill -INT "$server"
wait "$server"
rm -rf "$folder"
`;

async function start(run: number, folder: string, addressFile: string): Promise<void> {
  const port = await freePort();
  const log = join(folder, 'log');
  const unprivileged = process.getuid?.() === 0 ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups'] : [];
  const parameters = [String(run), folder, String(port), programs, ...unprivileged];
  spawn('sh', ['-c', `exec >"$2/log" 2>&1\n${guard}`, 'guard', ...parameters], { cwd: '/', stdio: 'ignore', detached: true }).unref();
  await untilReady(log);
  await writeFile(`${addressFile}.new`, `postgres://postgres@127.0.0.1:${port}`);
  await chmod(`${addressFile}.new`, 0o644);
  await rename(`${addressFile}.new`, addressFile);
}

async function untilReady(log: string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const text = existsSync(log) ? await readFile(log, 'utf8') : '';
    if (text.includes('ready to accept connections')) return;
    if (Date.now() > deadline || text.includes('FATAL')) throw new Error(`PostgreSQL did not start: ${text.slice(-2_000)}`);
    await setTimeout(50);
  }
}

async function freePort(): Promise<number> {
  await using server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('no port');
  return bound.port;
}
