/** The bubblewrap jail: own namespaces, no network, no capability, nothing of the host but libraries, read-only. */
import { lstatSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { filterDescriptor } from './descriptors.ts';
import { prlimitArguments, type ProcessLimits } from './limits.ts';

export type BubblewrapJob = Readonly<{
  /** Real paths of the programs; each is bound alone, so the jail holds no shell and no other tool. */
  program: string;
  prlimit: string;
  argv: readonly string[];
  /** Bound writable at /job/out, which is the working directory; null gives an empty read-only one. */
  outputDirectory: string | null;
  limits: ProcessLimits;
}>;

const nobody = '65534';
const scratchBytes = 64 * 2 ** 20;

/**
 * Arguments for bwrap(1) 0.8 or later. Expects the seccomp filter on its own descriptor and lets inherited descriptors through.
 * User namespaces can't be made inside; /dev and / are read-only, so /tmp (64 MiB) and the output directory are all there is to write.
 */
export function bubblewrapArguments(job: BubblewrapJob): string[] {
  const program = `/job/bin/${basename(job.program)}`, prlimit = '/job/bin/prlimit';
  return [
    '--unshare-all', '--unshare-user', '--disable-userns', '--die-with-parent', '--new-session',
    '--uid', nobody, '--gid', nobody, '--hostname', 'job', '--cap-drop', 'ALL',
    '--clearenv', '--setenv', 'HOME', '/tmp', '--setenv', 'LC_ALL', 'C.UTF-8',
    ...libraries(),
    '--ro-bind', job.prlimit, prlimit, '--ro-bind', job.program, program,
    '--proc', '/proc', '--dev', '/dev', '--remount-ro', '/dev',
    '--size', String(scratchBytes), '--tmpfs', '/tmp',
    ...(job.outputDirectory === null ? ['--dir', '/job/out'] : ['--bind', job.outputDirectory, '/job/out']),
    '--chdir', '/job/out', '--remount-ro', '/', '--seccomp', String(filterDescriptor), '--',
    prlimit, ...prlimitArguments(job.limits), program, ...job.argv,
  ];
}

/** Where a distribution keeps shared libraries; merged (/lib is a link) and unmerged layouts both work. */
function libraries(): string[] {
  return [
    '--ro-bind', '/usr/lib', '/usr/lib', '--ro-bind-try', '/usr/lib64', '/usr/lib64', '--ro-bind-try', '/usr/local/lib', '/usr/local/lib',
    ...['/lib', '/lib64'].flatMap(linkOrBind),
    '--ro-bind-try', '/etc/ld.so.cache', '/etc/ld.so.cache', '--ro-bind-try', '/etc/alternatives', '/etc/alternatives',
  ];
}

function linkOrBind(path: string): string[] {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (!stat) return [];
  return stat.isSymbolicLink() ? ['--symlink', readlinkSync(path), path] : ['--ro-bind', path, path];
}
