/** That the jail contains an ffmpeg that obeys an attacker: as the user of the tests, and as an unprivileged one. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, realpathSync, statSync, symlinkSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { gradeJail, requireJail } from '../src/jail/grade.ts';
import { encoderNames, findMediaTools, mediaAbilities, requireTool } from '../src/media-tools.ts';
import type { Canaries } from './jail-canaries.ts';
import { jailOf, makeMedia, privateInput, runList, runs, temporaryDirectory, tools } from './jail-support.ts';

const run = promisify(execFile);
const canaries = fileURLToPath(new URL('./jail-canaries.ts', import.meta.url));
const isRoot = process.getuid?.() === 0;
const perl = realpathSync('/usr/bin/perl');

/** As ourselves, and when we are root also as a user without any right. */
const identities = isRoot ? [null, 12_345] : [null];

/** Landlock starts slowly, so it meets every third list, unless the tests run at scale. */
async function canariesOf(grade: 'bubblewrap' | 'landlock' | 'none', uid: number | null): Promise<Canaries> {
  const every = grade === 'landlock' && runs(1) === 1 ? '3' : '1';
  const [file, args] = uid === null ? [process.execPath, []] : ['setpriv', [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', process.execPath]];
  const { stdout } = await run(file, [...args, canaries, grade, every], { env: { PATH: process.env['PATH'] ?? '', SECRET: 'in the environment' }, timeout: 120_000 });
  return JSON.parse(stdout) as Canaries; // written by our own script
}

const contained = /^(Permission denied|No such file or directory|Operation not permitted|Read-only file system|Function not implemented)$/;
/** The only things that a taken-over program can do or learn. */
const granted: Readonly<Record<string, RegExp>> = { 'read input': /^DONE$/, 'write output': /^DONE$/, environment: /^HOME,LC_ALL(,PWD)?$/ };

test.for(['bubblewrap', 'landlock'] as const)('%s contains every attack, vetting switched off, for us and for a user without rights', { timeout: 180_000 }, async (grade) => {
  for (const { perl: answers, leaked, ran } of await Promise.all(identities.map((uid) => canariesOf(grade, uid)))) {
    expect(leaked).toEqual([]);
    expect(ran).toBeGreaterThanOrEqual(grade === 'landlock' ? 10 : 25);
    const { processes, user, ...others } = answers;
    expect(Object.keys(others).length).toBeGreaterThanOrEqual(40);
    expect(Object.entries(others).filter(([name, answer]) => !(granted[name] ?? contained).test(answer))).toEqual([]);
    expect(user).not.toBe('0');
    if (grade === 'bubblewrap') expect(Number(processes)).toBeLessThanOrEqual(2);
  }
});

test('the same attacks work without a jail, so the canaries sing', { timeout: 120_000 }, async () => {
  const { leaked } = await canariesOf('none', null);
  expect(leaked.length).toBeGreaterThanOrEqual(20);
});

/** Runs a perl script as if it were ffmpeg. */
async function runPerl(script: string, limit: Parameters<typeof runList>[4] = {}) {
  const directory = await temporaryDirectory();
  const ran = await runList(await jailOf('bubblewrap'), directory.path, { args: [], outputs: [] }, [], { ffmpeg: perl, template: ['-e', script], ...limit });
  const use = readdirSync(ran.directory).map((name) => statSync(`${ran.directory}/${name}`).size);
  await directory[Symbol.asyncDispose]();
  return { ...ran, bytes: use.reduce((sum, size) => sum + size, 0), files: use.length };
}

const mebibyte = 2 ** 20;

test('a flood of one file ends at the limit', async () => {
  const { result, bytes } = await runPerl('open(F, ">", "./x"); $b = "x" x 65536; print F $b while 1;', { limit: { outputBytes: 8 * mebibyte } });
  expect(result.reason).toBe('output-limit');
  expect(bytes).toBeLessThanOrEqual(8 * mebibyte);
});

test('a flood of many files ends at the limit', async () => {
  const { result, files } = await runPerl('for ($i = 0; ; $i++) { open(F, ">", "./f$i"); print F "x"; close F }', { limit: { outputFiles: 20 } });
  expect(result.reason).toBe('output-limit');
  expect(files).toBeGreaterThan(20);
  expect(files).toBeLessThan(200_000);
});

test('a sparse file counts with its length', async () => {
  const { result } = await runPerl('open(F, ">", "./x"); truncate(F, 7000000); open(G, ">", "./y"); truncate(G, 7000000); sleep 5;', { limit: { outputBytes: 8 * mebibyte } });
  expect(result.reason).toBe('output-limit');
});

test.for([
  ['log', 'print STDERR "line " x 10, "\\n" while 1;'], ['log without line ends', 'print STDERR "x" x 65536 while 1;'],
  ['standard output', 'print "x" x 65536 while 1;'], ['progress', 'open(P, ">&=", 3); print P "out_time_us=1\\nprogress=continue\\n" while 1;'],
] as const)('a flood of %s is read slowly and ended by the wall limit', async ([, script]) => {
  const before = process.memoryUsage().rss;
  const { result, log } = await runPerl(script, { limit: { wallMs: 1_500 } });
  expect(result.reason).toBe('timeout');
  expect(log.length).toBeLessThan(600);
  expect(Math.max(0, ...log.map((line) => line.length))).toBeLessThanOrEqual(1_000);
  expect(process.memoryUsage().rss - before).toBeLessThan(200 * mebibyte);
});

test('a job without progress is stalled, and heartbeats are no progress', async () => {
  const { result } = await runPerl('open(P, ">&=", 3); $| = 1; select P; $| = 1; while (1) { print P "out_time_us=0\\nprogress=continue\\n"; select undef, undef, undef, 0.1 }', { limit: { stallMs: 600 } });
  expect(result.reason).toBe('stalled');
});

test('a job that ignores SIGTERM is gone within three seconds of its cancelation, threads and all', async () => {
  const marker = `weir-${Math.trunc(performance.now() * 1_000)}`;
  const cancelation = new AbortController();
  const started = performance.now();
  setTimeout(() => cancelation.abort(), 300);
  const { result } = await runPerl(`$SIG{TERM} = "IGNORE"; $SIG{INT} = "IGNORE"; $name = "${marker}"; sleep 1 while 1;`, { signal: cancelation.signal });
  expect(result.reason).toBe('canceled');
  expect(performance.now() - started).toBeLessThan(4_000);
  await sleep(50);
  const alive = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).filter((pid) => commandOf(pid).includes(marker));
  expect(alive).toEqual([]);
});

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return ''; // ended meanwhile
  }
}

test('memory, processor time and file size have reasons of their own', { timeout: 60_000 }, async () => {
  const cpu = await runPerl('1 while 1;', { limit: { cpuSeconds: 1 } });
  expect(cpu.result.reason).toBe('timeout');
  await using directory = await temporaryDirectory();
  makeMedia(`${directory.path}/source.mp4`, 1);
  await using input = await privateInput(directory.path, `${directory.path}/source.mp4`);
  const list = { args: ['-i', '{in:0}', '-vf', 'scale=8000:8000', '-c:v', 'libx264', '-frames:v', '5', '{out:big.mp4}'], outputs: ['big.mp4'] };
  const memory = await runList(await jailOf('bubblewrap'), directory.path, list, [input], { limit: { addressSpaceBytes: 700 * mebibyte } });
  expect(memory.result.reason).toBe('memory');
  const endless = { args: ['-stream_loop', '-1', '-i', '{in:0}', '-c', 'copy', '{out:endless.ts}'], outputs: ['endless.ts'] };
  const size = await runList(await jailOf('bubblewrap'), directory.path, endless, [input], { limit: { outputBytes: mebibyte } });
  expect(size.result.reason).toBe('output-limit');
});

test('an input that still has a name is refused', async () => {
  await using directory = await temporaryDirectory();
  makeMedia(`${directory.path}/source.mp4`, 0.2);
  await using named = await open(`${directory.path}/source.mp4`);
  const list = { args: ['-i', '{in:0}', '-c', 'copy', '{out:a.mp4}'], outputs: ['a.mp4'] };
  await expect(runList(await jailOf('bubblewrap'), directory.path, list, [named])).rejects.toThrow('unlinked regular file');
});

test('a private input leaves no name and no plaintext file behind while the job runs', async () => {
  await using directory = await temporaryDirectory();
  makeMedia(`${directory.path}/source.mp4`, 1);
  const bytes = readFileSync(`${directory.path}/source.mp4`);
  await using scratch = await temporaryDirectory();
  await using input = await privateInput(scratch.path, bytes);
  expect(readdirSync(scratch.path)).toEqual([]);
  const { result, directory: made } = await runList(await jailOf('bubblewrap'), scratch.path, { args: ['-i', '{in:0}', '-c:v', 'mpeg4', '-c:a', 'libopus', '{out:a.mkv}'], outputs: ['a.mkv'] }, [input]);
  expect(result.reason).toBe('ok');
  const windows = new Set<string>();
  for (let at = 0; at + 32 <= bytes.length; at += 32) windows.add(bytes.toString('latin1', at, at + 32));
  const output = readFileSync(`${made}/a.mkv`);
  // Windows of few different bytes (zeros, silence) occur in any file; those of compressed media do not.
  const shared = Array.from({ length: output.length - 31 }, (_, at) => output.toString('latin1', at, at + 32)).filter((window) => windows.has(window) && new Set(window).size > 12);
  expect(shared).toEqual([]);
});

test('what is missing is named with the command that installs it', async () => {
  await using empty = await temporaryDirectory();
  expect(await gradeJail({ PATH: empty.path })).toMatchObject({ grade: 'none', reason: 'prlimit is not installed.', advice: 'Install it with: sudo apt-get install util-linux' });
  expect(() => findMediaTools({ PATH: empty.path })).toThrow('ffmpeg is not installed. Install it with: sudo apt-get install ffmpeg');
  expect(() => findMediaTools({ PATH: empty.path, FFMPEG_PATH: `${empty.path}/ffmpeg` })).toThrow('FFMPEG_PATH must name an ffmpeg program');
  symlinkSync(requireTool('prlimit'), `${empty.path}/prlimit`);
  const report = await gradeJail({ PATH: empty.path });
  expect(report).toMatchObject({ reason: 'bubblewrap is not installed.', advice: 'Install it with: sudo apt-get install bubblewrap' });
  expect(['landlock', 'none']).toContain(report.grade);
});

test('below Landlock ABI 6 our recipes run and custom arguments do not', () => {
  const report = { jail: { grade: 'landlock', abi: 5, prlimit: '/usr/bin/prlimit' }, grade: 'landlock', reason: 'bubblewrap is not installed.', advice: 'Install it.' } as const;
  expect(requireJail(report, false)).toBe(report.jail);
  expect(() => requireJail(report, true)).toThrow('Custom ffmpeg arguments need bubblewrap here: bubblewrap is not installed. Install it.');
  expect(() => requireJail({ ...report, jail: null, grade: 'none' }, false)).toThrow('No jail for ffmpeg');
});

test('the abilities of the installed ffmpeg are read', async () => {
  const { version, encoders } = await mediaAbilities(tools);
  expect(version).toMatch(/^\d/);
  expect(encoders).toEqual(expect.arrayContaining(['libx264', 'aac', 'libopus']));
  expect(encoderNames(' V....D libx264              libx264 H.264\n ------\n A..X.. opus  Opus')).toEqual(['libx264', 'opus']);
});
