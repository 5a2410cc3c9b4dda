/** `node scripts/defects.ts`: every defect that docs/security/defects.md lists has a test with its id in the name. Ends with 1 otherwise. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const id = /(?:dffmpeg|ipfs-kit|streamkit) §[\d.]+ #\d+/g;

/** Ids at the start of a row, and where tests name them; `missing` have none, `unknown` are named but not listed. */
export async function findDefectTests(folder: string = root): Promise<{ covered: ReadonlyMap<string, readonly string[]>; missing: string[]; unknown: string[] }> {
  const page = await readFile(path.join(folder, 'docs/security/defects.md'), 'utf8');
  const listed = [...page.matchAll(/^\| ([^|]+?) \|/gm)].flatMap(([, cell = '']) => cell.match(id) ?? []);
  const covered = new Map<string, string[]>();
  for (const file of await testFiles(folder)) {
    for (const [found] of namesOf(await readFile(path.join(folder, file), 'utf8')).matchAll(id)) covered.set(found, [...(covered.get(found) ?? []), file]);
  }
  return { covered, missing: listed.filter((defect) => !covered.has(defect)), unknown: [...covered.keys()].filter((defect) => !listed.includes(defect)) };
}

/** The names of tests: the first text that `test`, `it` or `describe` is given. An id in a comment covers nothing. */
const namesOf = (source: string): string =>
  [...source.matchAll(/\b(?:test|it|describe)(?:\.each\((?:[^()]|\([^()]*\))*\))?\(\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|`([^`]*)`)/g)].map((match) => match[1] ?? match[2] ?? match[3] ?? '').join('\n');

async function testFiles(folder: string): Promise<string[]> {
  const packages = (await readdir(path.join(folder, 'packages'))).map((name) => `packages/${name}/test`);
  const listed = await Promise.all(['test', ...packages].map(async (place) => {
    const names = await readdir(path.join(folder, place), { recursive: true }).catch(() => []);
    return names.filter((name) => name.endsWith('.test.ts')).map((name) => `${place}/${name}`);
  }));
  return listed.flat();
}

if (import.meta.main) {
  const { covered, missing, unknown } = await findDefectTests();
  for (const defect of missing) console.error(`${defect} has no test with its id in the name`);
  for (const defect of unknown) console.error(`${defect} is named by ${covered.get(defect)?.join(', ')}, but docs/security/defects.md does not list it`);
  console.log(`defects: ${covered.size - unknown.length} listed ids have a test`);
  process.exitCode = missing.length + unknown.length === 0 ? 0 : 1;
}
