/** Reads the documentation as a test needs it: its pages, the commands on them, the files and links that they name. */
import { globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** `reason` is set for blocks that carry `<!-- no-run: reason -->`. */
type ShellBlock = Readonly<{ line: number; text: string; reason: string | undefined }>;
/** `program`: the `ts` blocks of the page, one after the other; empty if it has none. */
export type Page = Readonly<{ name: string; text: string; blocks: readonly ShellBlock[]; program: string }>;

export async function readPages(): Promise<Page[]> {
  const names = globSync(['*.md', 'docs/**/*.md'], { cwd: root }).toSorted();
  return Promise.all(names.map(async (name) => {
    const text = await readFile(path.join(root, name), 'utf8');
    const program = [...text.matchAll(/^```ts\n([^]*?)^```$/gm)].map(({ 1: body = '' }) => body).join('\n');
    return { name, text, blocks: shellBlocks(text), program };
  }));
}

function shellBlocks(text: string): ShellBlock[] {
  return [...text.matchAll(/(?:^<!-- no-run: (.+) -->\n)?^```sh\n([^]*?)^```$/gm)].map(({ index, 1: reason, 2: body = '' }) => ({
    line: text.slice(0, index).split('\n').length, text: body, reason,
  }));
}

/** Paths of the repository that stand in backticks. */
export function namedPaths(text: string): string[] {
  return [...text.matchAll(/`((?:packages|scripts|test|docs)\/[\w./*-]+)`/g)].map(({ 1: name = '' }) => name);
}

/** Targets of links and pictures that lead to files, without their anchors. */
export function linkedFiles(text: string): string[] {
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(({ 1: target = '' }) => target.split('#')[0] ?? '').filter((target) => target !== '' && !/^[a-z]+:/.test(target));
}

/** `file`: "words of the test's name". */
export function namedTests(text: string): { file: string; words: string }[] {
  return [...text.matchAll(/`([\w./-]+\.test\.ts)`: "([^"]+)"/g)].map(({ 1: file = '', 2: words = '' }) => ({ file, words }));
}
