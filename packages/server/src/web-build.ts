/** Builds the web page when its sources changed since the last build, so that a clone needs no build step of its own. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const web = fileURLToPath(new URL('../../web/', import.meta.url));
/** Beside its own files, the page is made of the client and the messages. */
const sources = ['src', 'public', 'index.html', 'package.json', 'vite.config.ts', 'tsconfig.json', '../sdk/src', '../contracts/src'];
/** Where the server finds the built page. */
export const webFolder = path.join(web, 'dist');
const record = '.sources';
const buildTimeoutMs = 180_000;

/**
 * Builds if needed; `say` gets one line before and one after. A build that fails leaves the page of before (or none), says so, and is
 * tried again at the next start; the server answers its API meanwhile.
 */
export async function buildWebPage(say: (line: string) => void): Promise<void> {
  if (!existsSync(path.join(web, 'src'))) return;
  const digest = await digestOf(sources.map((name) => path.join(web, name)));
  if (await recorded() === digest) return;
  say('Building the web page …');
  const startedAt = performance.now();
  const fresh = `${webFolder}.${process.pid}`;
  try {
    const failure = await runVite(fresh);
    if (failure === undefined) {
      await writeFile(path.join(fresh, record), `${digest}\n`);
      await rm(webFolder, { recursive: true, force: true });
      await rename(fresh, webFolder);
    }
    say(failure === undefined ? `Built in ${((performance.now() - startedAt) / 1_000).toFixed(1)} s.` : `The web page was not built (${failure}); the API works without it.`);
  } catch (error) {
    say(`The web page was not built (${error instanceof Error ? error.message : 'unknown'}); the API works without it.`);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

async function recorded(): Promise<string | undefined> {
  try {
    return (await readFile(path.join(webFolder, record), 'utf8')).trim();
  } catch {
    return undefined; // never built, or not by us
  }
}

/** SHA-256 over the names and bytes of all files below `roots`; an absent root counts as nothing. */
export async function digestOf(roots: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const root of roots) {
    for (const file of await filesOf(root)) {
      const bytes = await readFile(file);
      hash.update(`${path.relative(web, file)}\0${bytes.length}\0`).update(bytes);
    }
  }
  return hash.digest('hex');
}

async function filesOf(root: string): Promise<string[]> {
  if (!existsSync(root)) return [];
  if (path.extname(root) !== '') return [root];
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name)).sort();
}

/** Undefined when it worked, else the last thing that it said. */
async function runVite(outDir: string): Promise<string | undefined> {
  await mkdir(outDir, { recursive: true });
  const manifest = createRequire(path.join(web, 'package.json')).resolve('vite/package.json');
  const child = spawn(process.execPath, [path.join(path.dirname(manifest), 'bin/vite.js'), 'build', '--outDir', outDir, '--emptyOutDir', '--logLevel', 'error'], {
    cwd: web, stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, NODE_ENV: 'production' }, timeout: buildTimeoutMs,
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => { said = (said + text).slice(-2_000); });
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code) => resolve(code === 0 ? undefined : (said.trim().split('\n').at(-1) ?? `vite ended with ${code}`)));
  });
}
