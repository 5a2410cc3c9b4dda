/**
 * Log lines of jobs in files of at most 4 MiB per job, NDJSON: the first 2 MiB in `head`, then two segments of 1 MiB in turn,
 * so the beginning and the last lines survive whatever is written in between. No line comes from input bytes but what ffmpeg prints.
 */
import { appendFile, mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Ulid } from '@weir/contracts/identity';
import { LogLine } from '@weir/contracts/jobs';

const headBytes = 2 * 1024 * 1024;
const segmentBytes = 1024 * 1024;
/** Oldest first. `old` is the tail segment before the one that is written now. */
const segments = ['head.ndjson', 'old.ndjson', 'tail.ndjson'] as const;

export class JobLogs {
  readonly #folder: string;
  /** One operation per job at a time: what waits, by job; bounded by the callers, who await. */
  readonly #turns = new Map<string, Promise<unknown>>();

  /** `folder` is private to the server; each job gets a folder in it, named by its id. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  async append(job: string, lines: readonly LogLine[]): Promise<void> {
    if (lines.length === 0) return;
    await this.#inTurn(job, async () => {
      const folder = this.#folderOf(job);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await appendFile(await this.#segmentFor(folder), lines.map((line) => `${JSON.stringify(line)}\n`).join(''), { mode: 0o600 });
    });
  }

  /**
   * All lines that are kept, oldest first; `meanwhile` runs at the instant that the reading is complete for, so a reader who subscribes
   * in it neither misses a line nor sees one twice.
   */
  async read(job: string, meanwhile: () => void = () => undefined): Promise<LogLine[]> {
    return await this.#inTurn(job, async () => {
      const texts = await Promise.all(segments.map((name) => readOrEmpty(join(this.#folderOf(job), name))));
      meanwhile();
      return texts.flatMap(linesOf);
    });
  }

  async remove(job: string): Promise<void> {
    await this.#inTurn(job, () => rm(this.#folderOf(job), { recursive: true, force: true }));
  }

  /** Ids come from our database; no path is made of anything else. */
  #folderOf(job: string): string {
    return join(this.#folder, Ulid.parse(job));
  }

  async #segmentFor(folder: string): Promise<string> {
    const [head, old, tail] = [join(folder, 'head.ndjson'), join(folder, 'old.ndjson'), join(folder, 'tail.ndjson')];
    if (await sizeOf(head) < headBytes) return head;
    if (await sizeOf(tail) >= segmentBytes) await rename(tail, old);
    return tail;
  }

  async #inTurn<T>(job: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(job) ?? Promise.resolve();
    const turn = before.then(work, work);
    const settled = turn.then(() => undefined, () => undefined);
    this.#turns.set(job, settled);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(job) === settled) this.#turns.delete(job);
    }
  }
}

/** A line that a crash cut short is left out; everything else was written whole. */
function linesOf(text: string): LogLine[] {
  return text.split('\n').flatMap((line) => {
    if (line === '') return [];
    try {
      return [LogLine.parse(JSON.parse(line))];
    } catch {
      return [];
    }
  });
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isAbsent(error)) return 0;
    throw error;
  }
}

async function readOrEmpty(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isAbsent(error)) return '';
    throw error;
  }
}

const isAbsent = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT';
