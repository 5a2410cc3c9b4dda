/** Two servers of one instance: one PostgreSQL, one folder of keys, one folder of blobs, and no bus. */
import { chown, mkdir, symlink } from 'node:fs/promises';
import path from 'node:path';
import type { TestContext } from 'vitest';
import { freshPostgres } from './postgres.ts';
import { TcpProxy } from './tcp-proxy.ts';
import { Client, privateFolder, startWeir, testUser, type TestWeir, type WeirOptions } from './weir.ts';

export type Cluster = AsyncDisposable & Readonly<{
  a: TestWeir;
  b: TestWeir;
  /** What node B reaches the database through. */
  proxy: TcpProxy;
  /** The same caller at node B. */
  atB(client: Client): Client;
}>;

export async function startCluster(context: TestContext, options: Pick<WeirOptions, 'limits'> = {}): Promise<Cluster> {
  await using starting = new AsyncDisposableStack();
  const url = new URL(await freshPostgres(context));
  const proxy = starting.use(await TcpProxy.start(url.hostname, Number(url.port)));
  const a = starting.use(await startWeir({ ...options, environment: { WEIR_DATABASE__URL: url.href } }));
  const data = await privateFolder('weir-test-node-');
  await shareBlobs(a, data);
  const proxied = new URL(url);
  proxied.port = String(proxy.port);
  const b = starting.use(await startWeir({
    ...options, environment: { WEIR_DATABASE__URL: proxied.href, WEIR_KEYS__DIRECTORY: a.keysPath, WEIR_DATA: data },
  }));
  const running = starting.move();
  return { a, b, proxy, atB: (client) => new Client(b, client.name, () => ({ ...client.evidence(), origin: b.url })), [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** Content on a path that both nodes reach. In production that is a mount, which needs root; here a link for each of its folders stands for it. */
async function shareBlobs(a: TestWeir, data: string): Promise<void> {
  const blobs = path.join(data, 'blobs');
  await ownFolder(blobs);
  for (let index = 0; index < 256; index += 1) {
    const name = index.toString(16).padStart(2, '0');
    await ownFolder(path.join(a.dataPath, 'blobs', name));
    await symlink(path.join(a.dataPath, 'blobs', name), path.join(blobs, name));
  }
}

async function ownFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (process.getuid?.() === 0) await chown(folder, testUser, testUser);
}
