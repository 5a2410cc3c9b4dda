/**
 * Attacks from inside the jail with the vetting switched off, run as whoever starts this file: `node jail-canaries.ts bubblewrap|landlock|none [EVERY]`,
 * where EVERY = 3 runs each third list alone.
 * Prints one JSON object. perl (part of every Debian) stands for an ffmpeg that was taken over, because it can make any system call.
 */
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { renderArguments, type ArgumentTemplate } from '../src/arguments/template.ts';
import type { Jail } from '../src/jail/grade.ts';
import { inputPath } from '../src/jail/descriptors.ts';
import { lookLimits } from '../src/jail/limits.ts';
import { outputLines } from '../src/jail/output-lines.ts';
import { spawnJailed } from '../src/jail/spawn.ts';
import { deniedSystemCalls } from '../src/jail/syscalls.ts';
import { hostileLists, type HostileList } from './hostile-arguments.ts';
import { jailOf, makeMedia, privateInput, runList, temporaryDirectory, tools } from './jail-support.ts';

const secretText = 'CANARY-of-32-bytes-that-leaks-out';
const perl = realpathSync('/usr/bin/perl');
const column = process.arch === 'x64' ? 0 : 1;
const numberOf = (name: string): number => deniedSystemCalls[name]?.[column] ?? -1;

export type Canaries = Readonly<{ uid: number; perl: Readonly<Record<string, string>>; leaked: readonly string[]; ran: number; inside: number }>;

const [grade, every = '1'] = process.argv.slice(2);
await using directory = await temporaryDirectory();
const outside = join(directory.path, 'outside'), text = join(directory.path, 'secret.txt'), media = join(directory.path, 'secret.mp4'), source = join(directory.path, 'source.mp4');
mkdirSync(outside, { mode: 0o777 });
chmodSync(outside, 0o777);
writeFileSync(text, `${secretText}\n`.repeat(4), { mode: 0o644 });
makeMedia(media, 0.5);
makeMedia(source, 0.5);

let connections = 0;
const listener = createServer((socket) => { connections += 1; socket.destroy(); });
await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
const address = listener.address();
const port = typeof address === 'object' && address ? address.port : 0;

const jail = grade === 'bubblewrap' || grade === 'landlock' ? await jailOf(grade) : null;
const inside = jail ? await attackFromInside(jail) : { answers: {}, directory: directory.path };
const leaked: string[] = [];
const lists = hostileLists({ text, media, outside, port }).filter((list) => list.effect !== 'none').filter((_, index) => index % Number(every) === 0);
for (const list of lists) if (await reachesOutside(list)) leaked.push(list.name);
listener.close();
const report: Canaries = { uid: process.getuid?.() ?? -1, perl: inside.answers, leaked, ran: lists.length, inside: readdirSync(inside.directory).length };
process.stdout.write(JSON.stringify(report));

/** Runs a list as it is, in the jail or (for comparison) without one, and looks whether it read, wrote or connected. */
async function reachesOutside(list: HostileList): Promise<boolean> {
  for (const name of readdirSync(outside)) rmSync(join(outside, name), { recursive: true, force: true });
  connections = 0;
  const { said, files } = jail ? await runInside(jail, list) : await runPlain(list);
  const output = files.map((path) => readFileSync(path, 'latin1')).join('\n');
  const readMedia = list.args.some((word) => word.includes(media)) && files.some((path) => statSync(path).size > 300);
  if (list.effect === 'reads') return said.includes(secretText) || said.includes('CANARY') || output.includes(secretText) || readMedia;
  return list.effect === 'writes' ? readdirSync(outside).length > 0 : connections > 0;
}

async function runInside(jail: Jail, list: HostileList): Promise<{ said: string; files: string[] }> {
  await using input = await privateInput(directory.path, source);
  const template: ArgumentTemplate = ['-nostdin', '-y', '-loglevel', 'info', ...list.args.map(placed)];
  const { log, directory: made } = await runList(jail, directory.path, { args: [], outputs: [] }, [input], { template, limit: { wallMs: 5_000 } });
  return { said: log.join('\n'), files: readdirSync(made).map((name) => join(made, name)) };
}

function placed(word: string): ArgumentTemplate[number] {
  if (word === '{in:0}') return { input: 0 };
  const name = /^\{out:(.*)\}$/.exec(word)?.[1];
  return name === undefined ? word : { output: name };
}

async function runPlain(list: HostileList): Promise<{ said: string; files: string[] }> {
  const made = join(directory.path, 'plain');
  rmSync(made, { recursive: true, force: true });
  mkdirSync(made);
  const argv = renderArguments(['-nostdin', '-y', '-loglevel', 'info', ...list.args.map(placed)]).map((word) => word.replace(`file:${inputPath(0)}`, source));
  const said = await new Promise<string>((resolve) => {
    execFile(tools.ffmpeg, argv, { cwd: made, timeout: 5_000, env: {} }, (_error, stdout, stderr) => resolve(stdout + stderr));
  });
  return { said, files: readdirSync(made).map((name) => join(made, name)) };
}

/** Each line of the script prints `name: answer`; the test holds what the answers must be. */
async function attackFromInside(jail: Jail): Promise<{ answers: Record<string, string>; directory: string }> {
  await using input = await privateInput(directory.path, source);
  const outputDirectory = join(directory.path, 'taken-over');
  mkdirSync(outputDirectory, { mode: 0o700 });
  const call = (name: string, ...args: readonly (number | string)[]) => `say('${name}', syscall(${[numberOf(name), ...args].join(',')}) == -1 ? $! : 'DONE');`;
  const script = [
    '$|=1; my $name = "x"; sub say { print "$_[0]: $_[1]\\n" }',
    `say('read secret', open(F,'<','${text}') ? 'DONE' : $!);`,
    `say('read accounts', open(F,'<','/etc/passwd') ? 'DONE' : $!);`,
    `say('read environment of the parent', open(F,'<','/proc/${process.pid}/environ') ? 'DONE' : $!);`,
    `say('read memory of the parent', open(F,'<','/proc/${process.pid}/mem') ? 'DONE' : $!);`,
    `say('write outside', open(F,'>','${outside}/x') ? 'DONE' : $!);`,
    ...['/job/x', '/usr/lib/x', '/dev/shm/x', '/home/x', '/var/tmp/x', '/dev/x'].map((path) => `say('write ${path}', open(F,'>','${path}') ? 'DONE' : $!);`),
    "say('write output', open(F,'>','./mine') ? 'DONE' : $!);",
    "say('write input', open(F,'+<','/proc/self/fd/5') ? 'DONE' : $!);",
    "say('read input', open(F,'<','/proc/self/fd/5') ? 'DONE' : $!);",
    "say('shell', (exec {'/bin/sh'} 'sh', '-c', 'true') ? 'DONE' : $!);",
    "say('fork', defined(fork) ? 'DONE' : $!);",
    "say('socket inet', socket(S,2,1,0) ? 'DONE' : $!);",
    "say('socket unix', socket(S,1,1,0) ? 'DONE' : $!);",
    "say('symbolic link', symlink('/etc/passwd','./link') ? 'DONE' : $!);",
    "say('hard link', link('./mine','./mine2') ? 'DONE' : $!);",
    "say('folder', mkdir('./folder') ? 'DONE' : $!);",
    "say('remove', unlink('./mine') ? 'DONE' : $!);",
    "say('rename', rename('./mine','./other') ? 'DONE' : $!);",
    "say('permissions', chmod(0777,'./mine') ? 'DONE' : $!);",
    `say('signal', kill('TERM',${process.pid}) ? 'DONE' : $!);`,
    "say('nameless file', sysopen(F,'.',020200000|2,0600) ? 'DONE' : $!);",
    call('unshare', 0x1000_0000), call('ptrace', 16, process.pid, 0, 0), call('mount', 0, 0, 0, 0, 0), call('memfd_create', '$name', 0), call('mknodat', -100, '$name', '0010600', 0),
    call('io_uring_setup', 1, 0), call('bpf', 0, 0, 0), call('userfaultfd', 0), call('keyctl', 0, 0, 0), call('shmget', 0, 4_096, 0o1600), call('process_vm_readv', process.pid, 0, 0, 0, 0, 0), call('setns', 0, 0), call('setpriority', 0, process.pid, 19), call('tgkill', process.pid, process.pid, 0),
    `say('limits of the parent', syscall(${column === 0 ? 302 : 261}, ${process.pid}, 7, 0, 0) == -1 ? $! : 'DONE');`,
    `say('new user namespace', syscall(${column === 0 ? 56 : 220}, ${0x1000_0000 | 17}, 0, 0, 0, 0) == -1 ? $! : 'DONE');`,
    'say(\'memory\', do { my $n = shift; my $x = "x" x $n; 1 } ? \'DONE\' : \'refused\');',
    "say('environment', join(',', sort keys %ENV));",
    "opendir(D,'/proc'); say('processes', scalar grep { /^\\d+$/ } readdir D);",
    "say('user', $<);",
  ];
  // An exhausted memory ends perl, so that line comes last and alone decides nothing.
  const ordered = [...script.filter((line) => !line.includes("'memory'")), ...script.filter((line) => line.includes("'memory'"))];
  await using child = spawnJailed(jail, { program: perl, argv: ['-e', ordered.join('\n'), String(8 * 2 ** 30)], inputs: [input.fd], outputDirectory, limits: { ...lookLimits, cpuSeconds: 20 } }, AbortSignal.timeout(20_000));
  child.stderr.resume();
  child.progress.resume();
  const answers: Record<string, string> = {};
  for await (const line of outputLines(child.stdout, { lineLength: 200, bytesPerSecond: 2 ** 20 })) {
    const [name = '', answer = ''] = line.split(': ', 2);
    answers[name] = answer;
  }
  await child.exited;
  if (existsSync(join(outputDirectory, 'link'))) throw new Error('a symbolic link was planted');
  return { answers, directory: outputDirectory };
}
