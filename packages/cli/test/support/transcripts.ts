/**
 * Text archives: `$ weir …` lines with what the command must print, and files that they need as `-- name --`. Standard error follows
 * after `stderr:`, an exit code other than 0 as `exit N`. What differs from run to run is written as a word: TOKEN, KEY, TIME, ID, DIR, …
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Result, Sandbox } from './weir.ts';

type Step = Readonly<{ command: string; expected: string }>;
type Archive = Readonly<{ files: readonly (readonly [string, string])[]; steps: readonly Step[] }>;

function parseArchive(text: string): Archive {
  const files: [string, string][] = [];
  const steps: { command: string; expected: string }[] = [];
  let add = (_line: string): void => undefined;
  for (const line of text.trimEnd().split('\n')) {
    const [, name] = /^-- (\S+) --$/.exec(line) ?? [];
    if (name !== undefined) {
      const file: [string, string] = [name, ''];
      files.push(file);
      add = (more) => { file[1] += `${more}\n`; };
    } else if (line.startsWith('$ ')) {
      const step = { command: line.slice(2), expected: '' };
      steps.push(step);
      add = (more) => { step.expected += `${more}\n`; };
    } else add(line);
  }
  return { files, steps };
}

/** Runs an archive and returns it as it should be written: equal to the file when everything is as expected. */
async function replay(sandbox: Sandbox, { files, steps }: Archive): Promise<string> {
  for (const [name, content] of files) await writeFile(path.join(sandbox.folder, name), content);
  const parts = files.map(([name, content]) => `-- ${name} --\n${content}`);
  for (const { command } of steps) {
    const result = await sandbox.weir(words(command).slice(1));
    parts.push(`$ ${command}\n${printed(result, sandbox.folder)}\n`);
  }
  return `${parts.join('').trimEnd()}\n`;
}

function printed({ code, stdout, stderr }: Result, folder: string): string {
  return [
    stdout.trimEnd(), ...(stderr.trim() === '' ? [] : ['stderr:', stderr.trimEnd()]), ...(code === 0 ? [] : [`exit ${code}`]),
  ].filter((part) => part !== '').map((part) => `${steady(part, folder)}\n`).join('');
}

/** Column widths follow the values, so runs of spaces before a replaced one are made one. */
function steady(text: string, folder: string): string {
  return text.replaceAll(folder, 'DIR')
    .replace(/eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+/g, 'TOKEN').replace(/[A-Za-z0-9+/]{43}=/g, 'KEY').replace(/#[A-Za-z0-9_-]{43}/g, '#SECRET')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, 'TIME').replace(/\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b/g, 'ID').replace(/weir-[0-9a-f]{10}/g, 'INSTANCE')
    .replace(/\b[0-9a-f]{64}\b/g, 'HASH').replace(/localhost:\d+/g, 'localhost:PORT').replace(/\bprocess \d+/g, 'process PID').replace(/\d+ events, \d+ signed/, 'N events, N signed')
    .split('\n').map((line) => (/TIME|ID|TOKEN/.test(line) || /^[A-Z]+( {2,}[A-Z ]+)+$/.test(line) ? line.replace(/ {2,}/g, '  ') : line)).join('\n');
}

const words = (command: string): string[] => [...command.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '');

/** With `WEIR_UPDATE_TRANSCRIPTS=1` the archive is rewritten; what changed is then for a person to judge. */
export async function check(sandbox: Sandbox, file: string): Promise<{ wanted: string; got: string }> {
  const wanted = await readFile(file, 'utf8');
  const got = await replay(sandbox, parseArchive(wanted));
  if (process.env['WEIR_UPDATE_TRANSCRIPTS'] !== '1') return { wanted, got };
  await writeFile(file, got);
  return { wanted: got, got };
}
