/** The documentation is true: its commands run, its pages of reference are current, its files, links and tests are there. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { globSync } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { referencePages } from '../scripts/reference.ts';
import { linkedFiles, namedPaths, namedTests, readPages, root, type Page } from './support/markdown.ts';
import { privateFolder, startWeir, testUser } from './support/weir.ts';

const pages = await readPages();
const runnable = pages.map((page) => ({ ...page, blocks: page.blocks.filter(({ reason }) => reason === undefined) })).filter(({ blocks }) => blocks.length > 0);
const pageTimeoutMs = 120_000;

beforeAll(() => {
  const blocks = pages.flatMap((page) => page.blocks);
  console.log(`documentation: ${blocks.length} sh blocks, ${blocks.filter(({ reason }) => reason === undefined).length} of them executed`);
});

test.each(runnable)('the commands of $name do what the page says', async (page) => {
  await using weir = await startWeir({ worker: true });
  const { code, output } = await runBlocks(page, { ...weir.environment(), WEIR_SERVER: weir.url, HOME: await privateFolder('weir-docs-') });
  expect(code, output).toBe(0);
}, pageTimeoutMs);

/** All blocks of a page in one shell and one folder, as a reader would type them; the first command that fails ends it. */
async function runBlocks({ name, blocks }: Page, environment: NodeJS.ProcessEnv): Promise<{ code: number | null; output: string }> {
  const cwd = await privateFolder('weir-docs-');
  const script = blocks.map(({ line, text }) => `# ${name}:${line}\n${text}`).join('\n');
  const asUser = process.getuid?.() === 0 ? { uid: testUser, gid: testUser } : {};
  const child = spawn('/bin/bash', ['-euvo', 'pipefail', '-c', script], {
    cwd, ...asUser, timeout: pageTimeoutMs, stdio: ['ignore', 'pipe', 'pipe'], env: { ...environment, PATH: `${root}/node_modules/.bin:${environment['PATH'] ?? ''}` },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { output = (output + text).slice(-20_000); });
  const code = await new Promise<number | null>((resolve) => { child.once('close', resolve); });
  return { code, output };
}

test.each(pages.filter(({ program }) => program !== ''))('the program of $name runs as the page has it', async ({ program }) => {
  const asUser = process.getuid?.() === 0 ? { uid: testUser, gid: testUser } : {};
  const environment = { PATH: process.env['PATH'], HOME: await privateFolder('weir-docs-'), WEIR_STREAMING_SECURITY__SECRET_KEY: randomBytes(48).toString('base64') };
  const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', program], { cwd: root, ...asUser, timeout: pageTimeoutMs, stdio: ['ignore', 'ignore', 'pipe'], env: environment });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => { errors = (errors + text).slice(-20_000); });
  expect(await new Promise((resolve) => { child.once('close', resolve); }), errors).toBe(0);
}, pageTimeoutMs);

test.each([...referencePages()])('docs/reference/%s is what the sources say; node scripts/reference.ts writes it', async (name, text) => {
  expect(await readFile(path.join(root, 'docs/reference', name), 'utf8')).toBe(text);
});

test('every file that a page names or links is there', async () => {
  const lost: string[] = [];
  for (const { name, text } of pages) {
    const files = [...namedPaths(text).map((file) => path.join(root, file)), ...linkedFiles(text).map((file) => path.resolve(root, path.dirname(name), file))];
    for (const file of files) if (!file.includes('*') && !await exists(file)) lost.push(`${name}: ${path.relative(root, file)}`);
  }
  expect(lost).toEqual([]);
});

test('every promise names a test that is there', async () => {
  const named = pages.flatMap(({ text }) => namedTests(text));
  expect(named.length).toBeGreaterThan(12);
  const lost: string[] = [];
  for (const { file, words } of named) if (!(await readFile(path.join(root, file), 'utf8')).includes(words)) lost.push(`${file}: ${words}`);
  expect(lost).toEqual([]);
});

test('every dependency is explained, and no other', async () => {
  const manifests = await Promise.all(['package.json', ...globSync('packages/*/package.json', { cwd: root })].map(async (file) =>
    JSON.parse(await readFile(path.join(root, file), 'utf8')) as Record<string, Record<string, string> | undefined>));
  const used = new Set(manifests.flatMap((manifest) => ['dependencies', 'devDependencies', 'optionalDependencies'].flatMap((kind) => Object.keys(manifest[kind] ?? {}))).filter((name) => !name.startsWith('@weir/')));
  const page = await readFile(path.join(root, 'docs/explanation/dependencies.md'), 'utf8');
  const explained = [...page.matchAll(/^\| (`[^|]+`) \|/gm)].flatMap(({ 1: cell = '' }) => [...cell.matchAll(/`([^`]+)`/g)].map(({ 1: name = '' }) => name));
  expect(explained.toSorted()).toEqual([...used].toSorted());
});

test('the two commands of the README stand first, and CI runs the second', async () => {
  const readme = pages.find(({ name }) => name === 'README.md')?.text ?? '';
  expect(readme.split('\n').slice(2, 6)).toEqual(['```', 'npm ci && npm start        # everything runs on this machine; prints a sign-in link', 'npm ci && npm test         # the whole test suite', '```']);
  expect(await readFile(path.join(root, '.ci/run'), 'utf8')).toContain('npm ci && npm test\n');
});

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch {
    return false; // what is asked
  }
}
