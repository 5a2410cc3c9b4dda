/**
 * Run as its own process, never imported: gives itself no_new_privs, a Landlock domain and the seccomp filter, then becomes the job.
 * `node landlock-launcher.ts INPUTS OUTPUT_DIRECTORY|- PROGRAM -- COMMAND ARGUMENT…`, or `--abi`. Exits 126 when the kernel refuses.
 * Landlock is in the kernel's Documentation/userspace-api/landlock.rst; each ABI knows more rights than the one before.
 */
import { existsSync, statSync } from 'node:fs';
import koffi from 'koffi';
import { filterDescriptor, firstInputDescriptor } from './descriptors.ts';
import { seccompFilter } from './seccomp.ts';

const createRuleset = 444, addRule = 445, restrictSelf = 446;
const setParentDeathSignal = 1, setSeccomp = 22, setNoNewPrivileges = 38, killSignal = 9, seccompModeFilter = 2;
const openPath = 0o10000000, closeOnExec = 0o2000000, setDescriptorFlags = 2;

const access = { execute: 1n, writeFile: 1n << 1n, readFile: 1n << 2n, readDirectory: 1n << 3n, truncate: 1n << 14n, ioctl: 1n << 15n } as const;
const makeFiles = (1n << 5n) | (1n << 8n);
/** How many of the file access bits each ABI handles. */
const handledBits: readonly bigint[] = [0n, 13n, 14n, 15n, 15n, 16n];

const libc = koffi.load('libc.so.6');
const systemCall = libc.func('long syscall(long number, ...)');
const prctl = libc.func('int prctl(int option, ...)');
const open = libc.func('int open(const char *path, int flags)');
const fcntl = libc.func('int fcntl(int fd, int command, int argument)');
const execve = libc.func('int execve(const char *path, const char **argv, const char **envp)');

if (process.argv[2] === '--abi') process.stdout.write(`${Math.max(0, landlockAbi())}\n`);
else become(process.argv.slice(2));

function become([inputs, output, program, separator, command, ...rest]: string[]): void {
  if (inputs === undefined || output === undefined || program === undefined || separator !== '--' || command === undefined) fail('usage');
  const filter = seccompFilter();
  check(prctl(setParentDeathSignal, 'unsigned long', killSignal), 'parent death signal');
  const ruleset = makeRuleset(landlockAbi());
  const readable = ['/usr/lib', '/usr/lib64', '/usr/local/lib', '/lib', '/lib64', '/etc/ld.so.cache', '/etc/alternatives', command, program];
  for (const path of readable) allowPath(ruleset, path, access.readFile | access.readDirectory | access.execute);
  for (const device of ['/dev/null', '/dev/urandom']) allowPath(ruleset, device, access.readFile | access.writeFile);
  if (output !== '-') allowPath(ruleset, output, access.readFile | access.readDirectory | access.writeFile | access.truncate | makeFiles);
  for (let index = 0; index < Number(inputs); index += 1) allow(ruleset, firstInputDescriptor + index, access.readFile);
  check(prctl(setNoNewPrivileges, 'unsigned long', 1, 'unsigned long', 0, 'unsigned long', 0, 'unsigned long', 0), 'no_new_privs');
  check(systemCall(restrictSelf, 'int', ruleset.fd, 'uint32', 0), 'landlock_restrict_self');
  keepOpen(Number(inputs));
  const arguments_ = [command, ...rest, null], environment = ['HOME=/nonexistent', 'LC_ALL=C.UTF-8', null];
  restrictSystemCalls(filter);
  execve(command, arguments_, environment);
  fail(`can not start ${command}`);
}

function landlockAbi(): number {
  return Number(systemCall(createRuleset, 'void *', null, 'size_t', 0, 'uint32', 1));
}

type Ruleset = Readonly<{ fd: number; handled: bigint }>;

/** Handles every file access, TCP and the scopes that this kernel knows. */
function makeRuleset(abi: number): Ruleset {
  if (abi < 1) fail('this kernel has no Landlock');
  const handled = (1n << (handledBits[Math.min(abi, 5)] ?? 16n)) - 1n;
  const attributes = new BigUint64Array([handled, abi >= 4 ? 3n : 0n, abi >= 6 ? 3n : 0n]);
  const bytes = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
  const fd = Number(systemCall(createRuleset, 'void *', attributes, 'size_t', bytes, 'uint32', 0));
  check(fd, 'landlock_create_ruleset');
  return { fd, handled };
}

function allowPath(ruleset: Ruleset, path: string, rights: bigint): void {
  if (!existsSync(path)) return;
  const fd = Number(open(path, openPath | closeOnExec));
  check(fd, `open ${path}`);
  allow(ruleset, fd, statSync(path).isDirectory() ? rights : rights & ~access.readDirectory & ~makeFiles);
}

/** `struct landlock_path_beneath_attr` is packed: 8 bytes of rights, 4 of descriptor. */
function allow(ruleset: Ruleset, fd: number, rights: bigint): void {
  const attribute = Buffer.alloc(12);
  attribute.writeBigUInt64LE(rights & ruleset.handled, 0);
  attribute.writeInt32LE(fd, 8);
  check(systemCall(addRule, 'int', ruleset.fd, 'int', 1, 'void *', attribute, 'uint32', 0), 'landlock_add_rule');
}

/** Node marks what it inherits as close-on-exec; the job needs its standard streams, progress pipe and inputs. */
function keepOpen(inputs: number): void {
  for (let fd = 0; fd < firstInputDescriptor + inputs; fd += 1) if (fd !== filterDescriptor) fcntl(fd, setDescriptorFlags, 0);
}

function restrictSystemCalls(filter: Buffer): void {
  const Program = koffi.struct('sock_fprog', { len: 'uint16', filter: 'void *' });
  const program = Buffer.alloc(koffi.sizeof(Program));
  koffi.encode(program, Program, { len: filter.length / 8, filter });
  check(prctl(setSeccomp, 'unsigned long', seccompModeFilter, 'void *', program), 'seccomp');
}

function check(result: unknown, what: string): void {
  if (Number(result) < 0) fail(`${what} was refused by the kernel`);
}

function fail(message: string): never {
  process.stderr.write(`landlock: ${message}\n`);
  process.exit(126);
}
