/** Which folders are closed to the service's user, and what is kept of them. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { allows, closedFolder, planScreens, screenCommand, type Access, type User } from '@weir/server/private-mounts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runs } from './support/runs.ts';

const stranger: User = { uid: 4_000_001, gid: 4_000_001 };

const anyAccess = fc.record({ uid: fc.constantFrom(0, 1, 2), gid: fc.constantFrom(0, 1, 2), mode: fc.integer({ min: 0, max: 0o777 }) });
const anyUser = fc.record({ uid: fc.constantFrom(1, 2), gid: fc.constantFrom(1, 2) });

/** As path_resolution(7) says it: the owner's bits for the owner, else the group's for the group, else the others'. */
function obviously(access: Access, user: User, bit: number): boolean {
  if (access.uid === user.uid) return (access.mode & (bit * 64)) !== 0;
  if (access.gid === user.gid) return (access.mode & (bit * 8)) !== 0;
  return (access.mode & bit) !== 0;
}

test('mode bits decide as path resolution does', () => {
  fc.assert(fc.property(anyAccess, anyUser, fc.constantFrom(1, 2, 4), (access, user, bit) => {
    expect(allows(access, user, bit)).toBe(obviously(access, user, bit));
  }), { numRuns: runs(5_000) });
});

test('the topmost folder that can not be entered is the closed one', () => {
  const names = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 6 });
  fc.assert(fc.property(names, fc.array(anyAccess, { minLength: 7, maxLength: 7 }), anyUser, (parts, accesses, user) => {
    const folders = ['/', ...parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`)];
    const at = (folder: string): Access => {
      const access = accesses[folders.indexOf(folder)];
      if (access === undefined) throw new RangeError(folder);
      return { ...access, mode: access.mode | 0o040000 };
    };
    const target = folders.at(-1) ?? '/';
    expect(closedFolder(target, user, at)).toBe(folders.find((folder) => !obviously(at(folder), user, 1)));
  }), { numRuns: runs(2_000) });
});

test('only what is needed is kept of a closed folder', async () => {
  const top = await mkdtemp(path.join(tmpdir(), 'weir-closed-'));
  try {
    await mkdir(path.join(top, 'program/packages'), { recursive: true });
    await mkdir(path.join(top, 'private'), { mode: 0o700 });
    await writeFile(path.join(top, 'program/package.json'), '{}');
    const [program, packages, secret] = [path.join(top, 'program'), path.join(top, 'program/packages'), path.join(top, 'private')];
    expect(planScreens([program, packages], stranger)).toEqual([{ closed: top, kept: [program] }]);
    await chmod(program, 0o700);
    expect(planScreens([program], stranger)).toEqual([{ closed: top, kept: [path.join(program, 'package.json'), packages] }]);
    await chmod(top, 0o755);
    expect(planScreens([secret, program], stranger).map(({ closed }) => closed)).toEqual([secret, program]);
    await chmod(program, 0o755);
    expect(planScreens([program], stranger)).toEqual([]);
  } finally {
    await rm(top, { recursive: true });
  }
});

test('no path is part of the script that makes the mounts', async () => {
  const top = await mkdtemp(path.join(tmpdir(), 'weir-$(id) "\'-'));
  try {
    const [flag, script, name, ...words] = screenCommand([{ closed: top, kept: [top] }], '/aside', '/there', ['setpriv', '--', 'node']);
    expect([flag, name]).toEqual(['-c', 'sh']);
    expect(script).not.toContain('weir-$');
    expect(words.slice(-3)).toEqual(['setpriv', '--', 'node']);
    expect(words.filter((word) => word.startsWith(top))).not.toEqual([]);
  } finally {
    await rm(top, { recursive: true });
  }
});
