/** Opens the sign-in page in the browser of a desktop. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Context } from '../context.ts';

const opener = '/usr/bin/xdg-open';

/**
 * Only from a terminal on a desktop of this machine, and not from a service. The link is a secret, and arguments are seen by every user of
 * the machine: the browser gets a file that only its user can read, which leads to it.
 */
export async function openBrowser({ process: { stdout }, environment }: Context, server: Readonly<{ signInLink: string | undefined; dataPath: string }>): Promise<void> {
  const hasDesktop = (environment['DISPLAY'] ?? environment['WAYLAND_DISPLAY'] ?? '') !== '';
  const isHere = stdout.isTTY === true && environment['SSH_CONNECTION'] === undefined && environment['WEIR_SERVICE'] !== '1';
  if (server.signInLink === undefined || !hasDesktop || !isHere || !existsSync(opener)) return;
  const file = path.join(server.dataPath, 'sign-in.html');
  await writeFile(file, `<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=${server.signInLink}"><title>Weir</title>\n`, { mode: 0o600 });
  const child = spawn(opener, [file], { stdio: 'ignore', detached: true });
  child.once('error', () => undefined); // the link is on the terminal too
  child.unref();
}
