/** The Landlock jail, for machines that forbid user namespaces: a launcher restricts itself and then becomes the program. */
import { realpathSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prlimitArguments, type ProcessLimits } from './limits.ts';

export type LandlockJob = Readonly<{
  program: string; prlimit: string; argv: readonly string[]; inputs: number; outputDirectory: string | null; limits: ProcessLimits;
}>;

/** From here on Landlock also keeps signals and abstract sockets inside; below, only our own recipes may run. */
export const landlockAbiForCustomArguments = 6;

const launcher = fileURLToPath(new URL(`./landlock-launcher${extname(import.meta.url)}`, import.meta.url));

/** Arguments for this Node: the launcher, what it may open, and after `--` what it becomes. The working directory is the output directory. */
export function landlockArguments(job: LandlockJob): string[] {
  return [
    launcher, String(job.inputs), job.outputDirectory === null ? '-' : realpathSync(job.outputDirectory), job.program, '--',
    job.prlimit, ...prlimitArguments(sharedUserLimits(job.limits)), job.program, ...job.argv,
  ];
}

/** Prints the ABI of the kernel (0: none). */
export function landlockAbiArguments(): string[] {
  return [launcher, '--abi'];
}

/** Without a user namespace the kernel counts all threads of the service user together, so the bound has to leave room for its others. */
function sharedUserLimits(limits: ProcessLimits): ProcessLimits {
  return { ...limits, threads: limits.threads + 4_096 };
}
