/** The system call filter of the jail: classic BPF for seccomp, made for x86-64 and arm64 without a native dependency. */
import { WeirError } from '@weir/contracts/errors';
import { clone3Numbers, deniedSystemCalls, firstUnknownNumber, flagRules, type FlagRule } from './syscalls.ts';

/** What the filter can answer. Denied calls fail with EPERM; a foreign architecture ends the process. */
export const seccompAction = { allow: 0x7fff_0000, refuse: 0x0005_0001, notThere: 0x0005_0000 | 38, kill: 0x8000_0000 } as const;

type Architecture = Readonly<{ audit: number; column: 0 | 1; x32: boolean }>;
const architectures: Readonly<Record<string, Architecture>> = {
  x64: { audit: 0xc000_003e, column: 0, x32: true },
  arm64: { audit: 0xc000_00b7, column: 1, x32: false },
};

const loadWord = 0x20, jumpEqual = 0x15, jumpAtLeast = 0x35, jumpAnyBit = 0x45, give = 0x06;
const offset = { number: 0, architecture: 4, firstArgument: 16 } as const;

type Label = 'allow' | 'refuse' | 'notThere' | 'kill';
/** Where a comparison leads: to an answer, or over so many of the next steps (0 when absent). */
type Target = Label | number;
type Step = Readonly<{ code: number; value: number; yes?: Target; no?: Target }>;

/**
 * The filter as the bytes that `bwrap --seccomp` and `prctl(PR_SET_SECCOMP)` read: 8 bytes per instruction, little endian.
 * New processes are refused (threads are not), so the address space limit of the one process bounds the memory of the job.
 * Throws `system.missing` on an architecture that Weir has no numbers for.
 */
export function seccompFilter(architecture: string = process.arch): Buffer {
  const arch = architectures[architecture];
  if (!arch) throw new WeirError('system.missing', `No system call filter for ${architecture}: jobs run on x64 and arm64 only.`);
  return assemble(steps(arch));
}

function steps(arch: Architecture): Step[] {
  const denied = Object.values(deniedSystemCalls).flatMap((numbers) => numbers[arch.column] ?? []);
  return [
    { code: loadWord, value: offset.architecture },
    { code: jumpEqual, value: arch.audit, no: 'kill' },
    { code: loadWord, value: offset.number },
    ...(arch.x32 ? [{ code: jumpAtLeast, value: 0x4000_0000, yes: 'kill' } as const] : []),
    { code: jumpAtLeast, value: firstUnknownNumber, yes: 'notThere' },
    { code: jumpEqual, value: clone3Numbers[arch.column] ?? 0, yes: 'notThere' },
    ...denied.map((value) => ({ code: jumpEqual, value, yes: 'refuse' } as const)),
    ...flagRules.flatMap((rule) => flagSteps(rule, rule.numbers[arch.column])),
    { code: give, value: seccompAction.allow },
  ];
}

function flagSteps(rule: FlagRule, number: number | null): Step[] {
  if (number === null) return [];
  const lastStep: Step = rule.need === 0
    ? { code: give, value: seccompAction.allow }
    : { code: jumpAnyBit, value: rule.need, yes: 'allow', no: 'refuse' };
  return [
    { code: jumpEqual, value: number, no: 3 },
    { code: loadWord, value: offset.firstArgument + 8 * rule.argument },
    { code: jumpAnyBit, value: rule.refuse, yes: 'refuse' },
    lastStep,
  ];
}

/** Lays the four answers behind the steps and turns labels into the forward distances that BPF jumps have. */
function assemble(program: readonly Step[]): Buffer {
  const answers: readonly Label[] = ['allow', 'refuse', 'notThere', 'kill'];
  const distance = (from: number, target: Target = 0): number =>
    typeof target === 'number' ? target : program.length + answers.indexOf(target) - from - 1;
  const bytes = Buffer.alloc((program.length + answers.length) * 8);
  program.forEach((step, at) => write(bytes, at, step.code, distance(at, step.yes), distance(at, step.no), step.value));
  answers.forEach((label, at) => write(bytes, program.length + at, give, 0, 0, seccompAction[label]));
  return bytes;
}

function write(bytes: Buffer, at: number, code: number, yes: number, no: number, value: number): void {
  bytes.writeUInt16LE(code, at * 8);
  bytes.writeUInt8(yes, at * 8 + 2);
  bytes.writeUInt8(no, at * 8 + 3);
  bytes.writeUInt32LE(value >>> 0, at * 8 + 4);
}
