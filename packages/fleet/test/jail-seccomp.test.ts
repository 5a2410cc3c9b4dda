/** That the filter answers as its table says, on both architectures, by running it in a small interpreter of classic BPF. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { seccompAction, seccompFilter } from '../src/jail/seccomp.ts';
import { clone3Numbers, deniedSystemCalls, firstUnknownNumber, flagRules } from '../src/jail/syscalls.ts';
import { runs } from './jail-support.ts';

const audit = { x64: 0xc000_003e, arm64: 0xc000_00b7 } as const;
type Architecture = keyof typeof audit;
const column = (arch: Architecture) => (arch === 'x64' ? 0 : 1);

/** `struct seccomp_data`: number, architecture, instruction pointer, six arguments of 64 bits. */
function answer(arch: Architecture, number: number, args: readonly number[] = [], auditArch: number = audit[arch]): number {
  const filter = seccompFilter(arch), data = Buffer.alloc(64);
  data.writeUInt32LE(number, 0);
  data.writeUInt32LE(auditArch, 4);
  args.forEach((value, index) => data.writeBigUInt64LE(BigInt(value), 16 + 8 * index));
  let accumulator = 0;
  for (let at = 0; at < filter.length / 8; at += 1) {
    const code = filter.readUInt16LE(at * 8), yes = filter.readUInt8(at * 8 + 2), no = filter.readUInt8(at * 8 + 3), value = filter.readUInt32LE(at * 8 + 4);
    if (code === 0x20) accumulator = data.readUInt32LE(value);
    else if (code === 0x15) at += accumulator === value ? yes : no;
    else if (code === 0x35) at += accumulator >= value ? yes : no;
    else if (code === 0x45) at += (accumulator & value) !== 0 ? yes : no;
    else if (code === 0x06) return value;
    else throw new Error(`unknown instruction ${code}`);
  }
  throw new Error('the filter has no end');
}

test.for(['x64', 'arm64'] as const)('%s: what the table denies is refused, all else is allowed', (arch) => {
  const denied = new Set(Object.values(deniedSystemCalls).flatMap((numbers) => numbers[column(arch)] ?? []));
  const special = new Set([clone3Numbers[column(arch)], ...flagRules.map((rule) => rule.numbers[column(arch)])]);
  for (let number = 0; number < firstUnknownNumber; number += 1) {
    if (!special.has(number)) expect(answer(arch, number), String(number)).toBe(denied.has(number) ? seccompAction.refuse : seccompAction.allow);
  }
  expect(denied.size).toBeGreaterThan(70);
});

test.for(['x64', 'arm64'] as const)('%s: threads start, processes and namespaces do not', (arch) => {
  const clone = arch === 'x64' ? 56 : 220, threadFlags = 0x3d_0f00;
  expect(answer(arch, clone, [threadFlags])).toBe(seccompAction.allow);
  expect(answer(arch, clone, [17])).toBe(seccompAction.refuse);
  fc.assert(fc.property(fc.nat(0x7fff_ffff), fc.constantFrom(17, 25, 26, 27, 28, 29, 30), (flags, bit) => {
    expect(answer(arch, clone, [(flags | (1 << bit)) >>> 0])).toBe(seccompAction.refuse);
  }), { numRuns: runs(300), examples: [[0, 28]] });
  expect(answer(arch, 435)).toBe(seccompAction.notThere);
});

test.for(['x64', 'arm64'] as const)('%s: a nameless file can not be made', (arch) => {
  const openat = arch === 'x64' ? 257 : 56;
  expect(answer(arch, openat, [0, 0, 0o2 | 0o100])).toBe(seccompAction.allow);
  expect(answer(arch, openat, [0, 0, 0o20200000 | 0o2])).toBe(seccompAction.refuse);
});

test.for(['x64', 'arm64'] as const)('%s: limits can be set for the process itself alone', (arch) => {
  const prlimit = arch === 'x64' ? 302 : 261;
  expect(answer(arch, prlimit, [0])).toBe(seccompAction.allow);
  expect(answer(arch, prlimit, [1])).toBe(seccompAction.refuse);
  expect(answer(arch, prlimit, [0x8000_0000])).toBe(seccompAction.refuse);
});

test('calls that this table does not know yet are answered as not there', () => {
  expect(answer('x64', firstUnknownNumber)).toBe(seccompAction.notThere);
  expect(answer('arm64', 1_000)).toBe(seccompAction.notThere);
});

test('another architecture than the own ends the process', () => {
  expect(answer('x64', 1, [], 0x4000_0003)).toBe(seccompAction.kill); // i386
  expect(answer('x64', 0x4000_0001)).toBe(seccompAction.kill); // x32
  expect(() => seccompFilter('riscv64')).toThrow('x64 and arm64');
});
