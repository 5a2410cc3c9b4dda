/** What a local folder is good for, found out by using it. */
import { randomBytes, randomUUID } from 'node:crypto';
import type { StatsFs } from 'node:fs';
import { open, opendir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '@weir/contracts/errors';

const PROBE_BYTES = 64 * 2 ** 10;

/** `memory` is lost with the power; on `network` a flush means what the other machine makes of it. */
export type FolderKind = 'disk' | 'memory' | 'network' | 'unknown';

export interface FolderReport {
  readonly writable: boolean;
  /** What this user may still write. */
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** How long flushing 64 KiB took; null if nothing could be written. */
  readonly fsyncMs: number | null;
  readonly kind: FolderKind;
}

/** Magic numbers of `statfs(2)`, by what they mean for stored media. */
const kinds: ReadonlyMap<number, FolderKind> = new Map([
  [0xef53, 'disk'], [0x58465342, 'disk'], [0x9123683e, 'disk'], [0x2fc12fc1, 'disk'], [0xf2f52010, 'disk'], [0xca451a4e, 'disk'],
  [0x01021994, 'memory'], [0x858458f6, 'memory'],
  [0x6969, 'network'], [0xff534d42, 'network'], [0xfe534d42, 'network'], [0x01021997, 'network'], [0x00c36400, 'network'],
]);

/** What the system answers when this user may not or can not write there. */
const refusals: readonly string[] = ['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT'];

/**
 * Inspects a folder: writes 64 KiB into a new file, flushes, reads back, deletes. Errors: `storage.failed` if the folder is absent, or if
 * what was read is not what was written.
 */
export async function inspectFolder(path: string): Promise<FolderReport> {
  const { bavail, blocks, bsize, type } = await spaceOf(path);
  const fsyncMs = await probe(path);
  return { writable: fsyncMs !== null, freeBytes: bavail * bsize, totalBytes: blocks * bsize, fsyncMs, kind: kinds.get(type) ?? 'unknown' };
}

async function spaceOf(path: string): Promise<StatsFs> {
  try {
    await (await opendir(path)).close();
    return await statfs(path);
  } catch (cause) {
    throw new WeirError('storage.failed', `${path} can't be opened as a folder; create it or name another one.`, { cause });
  }
}

/** The duration of the flush, in milliseconds; null if writing was refused. */
async function probe(folder: string): Promise<number | null> {
  const path = join(folder, `.weir-probe-${randomUUID()}`);
  try {
    const bytes = randomBytes(PROBE_BYTES);
    const fsyncMs = await writeFlushed(path, bytes);
    await refuseOtherBytes(path, bytes);
    return fsyncMs;
  } catch (error) {
    if (error instanceof Error && 'code' in error && refusals.includes(String(error.code))) return null;
    if (error instanceof WeirError) throw error;
    throw new WeirError('storage.failed', `The folder ${folder} failed while it was tried; look at the disk.`, { cause: error });
  } finally {
    await rm(path, { force: true });
  }
}

async function writeFlushed(path: string, bytes: Uint8Array): Promise<number> {
  await using file = await open(path, 'wx', 0o600);
  await file.writeFile(bytes);
  const started = performance.now();
  await file.sync();
  return performance.now() - started;
}

async function refuseOtherBytes(path: string, bytes: Buffer): Promise<void> {
  await using file = await open(path, 'r');
  if (!bytes.equals(await file.readFile())) {
    throw new WeirError('storage.failed', `${path} did not give back what was written; do not store anything there.`);
  }
}
