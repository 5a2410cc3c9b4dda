/** Makes chosen paths reachable for another user below folders that are closed to that user, in a mount namespace of one process. */
import { lstatSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';

export type User = Readonly<{ uid: number; gid: number }>;
/** What decides about access: owner, group and mode, as `stat` gives them. */
export type Access = Readonly<{ uid: number; gid: number; mode: number }>;
/** `closed` is hidden behind an empty folder in which only `kept` appear again. */
export type Screen = Readonly<{ closed: string; kept: readonly string[] }>;

const [read, search] = [4, 1];
const mostScreens = 16;
const mostKept = 500;

/** Whether the mode bits let the user do it; access control lists are not looked at. */
export function allows({ uid, gid, mode }: Access, user: User, bit: number): boolean {
  const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0;
  return (mode >> shift & bit) !== 0;
}
export const canRead = (access: Access, user: User): boolean => allows(access, user, read);
export const canEnter = (access: Access, user: User): boolean => allows(access, user, search);

/** The topmost folder on the way to `target` (or the target itself) that the user can't enter, or undefined. */
export function closedFolder(target: string, user: User, accessOf: (path: string) => Access = statSync): string | undefined {
  const parts = path.resolve(target).split(path.sep).slice(1);
  const folders = ['/', ...parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`)];
  return folders.find((folder) => {
    const access = accessOf(folder);
    return (access.mode & 0o170000) === 0o040000 && !canEnter(access, user);
  });
}

/**
 * What must be screened so that the user reaches every one of `paths` (real paths that exist). A folder that is closed itself is
 * replaced by what it holds. Empty when nothing is closed.
 */
export function planScreens(paths: readonly string[], user: User): readonly Screen[] {
  const screens = new Map<string, Set<string>>();
  for (const wanted of [...new Set(paths)].sort()) {
    const closed = closedFolder(wanted, user);
    if (closed === undefined) continue;
    const kept = screens.get(closed) ?? new Set();
    screens.set(closed, kept);
    const isInside = [...kept].some((folder) => wanted.startsWith(`${folder}/`));
    if (!isInside) for (const part of reachable(wanted, user)) kept.add(part);
  }
  const plan = [...screens].map(([closed, kept]) => ({ closed, kept: [...kept] }));
  if (plan.length > mostScreens || plan.some(({ kept }) => kept.length > mostKept)) throw new RangeError('Too many closed folders.');
  return plan;
}

function reachable(wanted: string, user: User): string[] {
  const stat = lstatSync(wanted);
  if (!stat.isDirectory() || canEnter(stat, user)) return [wanted];
  return readdirSync(wanted, { withFileTypes: true })
    .filter((entry) => (entry.isDirectory() || entry.isFile()) && entry.name !== '.git').map(({ name }) => path.join(wanted, name));
}

/**
 * Arguments for `sh` that build the screens and then become `command`, to be run as root in a mount namespace of its own.
 * `aside` is an empty folder of root's; it is gone afterwards. Paths travel as arguments, none is part of the script.
 */
export function screenCommand(screens: readonly Screen[], aside: string, workingDirectory: string, command: readonly string[]): readonly string[] {
  const words: string[] = [];
  const word = (text: string): string => `"\${${words.push(text)}}"`;
  const lines = ['set -eu', `a=${word(aside)}`, 'mount -n -t tmpfs -o mode=0700,size=1m,nosuid,nodev,noexec weir "$a"'];
  const all = screens.flatMap(({ kept }) => kept);
  const isFolder = new Map(all.map((kept) => [kept, lstatSync(kept).isDirectory()]));
  const place = (kept: string, at: string): string => (isFolder.get(kept) === true ? `mkdir -p ${at}` : `mkdir -p "$(dirname ${at})" && : > ${at}`);
  all.forEach((kept, index) => lines.push(place(kept, `"$a/${index}"`), `mount -n --rbind ${word(kept)} "$a/${index}"`));
  for (const { closed } of screens) lines.push(`mount -n -t tmpfs -o mode=0755,size=1m,nosuid,nodev,noexec weir ${word(closed)}`);
  lines.push('u=$(umask)', 'umask 022');
  all.forEach((kept, index) => lines.push(place(kept, word(kept)), `mount -n --move "$a/${index}" ${word(kept)}`));
  for (const { closed } of screens) lines.push(`mount -n -o remount,ro ${word(closed)}`);
  lines.push('umask "$u"', 'umount -n "$a"', 'rmdir "$a"', `cd ${word(workingDirectory)} 2>/dev/null || cd /`, `shift ${words.length}`, 'exec "$@"');
  return ['-c', lines.join('\n'), 'sh', ...words, ...command];
}
