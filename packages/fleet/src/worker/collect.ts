/** Takes the outputs of an attempt out of its directory: plain files under declared names, whatever else was left there. */
import { constants, lstat, open, readdir, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '@weir/contracts/errors';

export type CollectedOutput = Readonly<{ name: string; size: number; handle: FileHandle }>;
/** `extra`: names that nobody declared, at most ten, for the log. They are left to whoever wipes the directory. */
export type Collected = AsyncDisposable & Readonly<{ outputs: readonly CollectedOutput[]; extra: readonly string[] }>;

/**
 * Opens every declared output read-only and unlinks it, so that only the handles keep the bytes. No process of the job may be alive.
 * Throws `job.failed` when one is missing, empty, or not a regular file with a single name. Disposing closes the handles.
 */
export async function collectOutputs(directory: string, declared: readonly string[]): Promise<Collected> {
  const names = await readdir(directory);
  const extra = names.filter((name) => !declared.includes(name)).slice(0, 10).map((name) => name.slice(0, 100));
  await using opened = new AsyncDisposableStack();
  const outputs: CollectedOutput[] = [];
  for (const name of declared) {
    const handle = opened.use(await openOutput(join(directory, name), name));
    outputs.push({ name, size: (await handle.stat()).size, handle });
    await unlink(join(directory, name));
  }
  const kept = opened.move();
  return { outputs, extra, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** `lstat` first, because opening a FIFO would wait; O_NOFOLLOW and the second look because the first may be of another file. */
async function openOutput(path: string, name: string): Promise<FileHandle> {
  const before = await lstat(path).catch((cause: unknown) => {
    throw new WeirError('job.failed', `The output ${name} was not written.`, { cause });
  });
  assertPlain(before, name);
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    assertPlain(await handle.stat(), name);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function assertPlain(stat: Readonly<{ isFile: () => boolean; nlink: number; size: number }>, name: string): void {
  if (!stat.isFile() || stat.nlink !== 1) throw new WeirError('job.failed', `The output ${name} is not a plain file; it was not published.`);
  if (stat.size === 0) throw new WeirError('job.failed', `The output ${name} is empty; the log of the job says why.`);
}
