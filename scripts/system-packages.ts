/** Debian packages that the tests need beside those of `npm ci`, and their installation. */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';

/** A package is there when one of these exists (a `*` stands for a version). */
const proofs: Readonly<Record<string, readonly string[]>> = {
  postgresql: ['/usr/lib/postgresql/*/bin/postgres'],
  ffmpeg: ['/usr/bin/ffmpeg'],
  bubblewrap: ['/usr/bin/bwrap'],
  chromium: ['/usr/bin/chromium', '/snap/bin/chromium'],
  'nginx-light': ['/usr/sbin/nginx'],
  caddy: ['/usr/bin/caddy'],
  iproute2: ['/usr/sbin/ip', '/sbin/ip', '/usr/bin/ip'],
  'util-linux': ['/usr/bin/unshare'],
  curl: ['/usr/bin/curl'],
  jq: ['/usr/bin/jq'],
  'fonts-dejavu-core': ['/usr/share/fonts/truetype/dejavu'],
};
const installTimeoutMs = 15 * 60_000;

const missingPackages = (): string[] =>
  Object.entries(proofs).filter(([, places]) => !places.some((place) => (place.includes('*') ? globSync(place).length > 0 : existsSync(place)))).map(([name]) => name);

/**
 * Installs what is missing when this is root on a Debian-like system and `WEIR_NO_INSTALL` is not 1; otherwise says the command to run.
 * Returns the packages that are missing afterwards.
 */
export function installSystemPackages(): string[] {
  const missing = missingPackages();
  if (missing.length === 0) return [];
  const command = ['apt-get', '-qq', '-o', 'Dpkg::Use-Pty=0', 'install', '-y', '--no-install-recommends', ...missing];
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get') || process.env['WEIR_NO_INSTALL'] === '1') {
    console.log(`Missing, so some tests can not run: ${missing.join(', ')}. On Debian or Ubuntu: sudo apt-get install -y --no-install-recommends ${missing.join(' ')}`);
    return missing;
  }
  console.log(`Installing ${missing.join(', ')} …`);
  // The lists may be absent or old; fetching them takes long, so only when it does not work without.
  if (!succeeds(command)) {
    succeeds(['apt-get', '-qq', 'update']);
    succeeds(command);
  }
  return missingPackages();
}

function succeeds([file = '', ...rest]: readonly string[]): boolean {
  return spawnSync(file, rest, { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, timeout: installTimeoutMs }).status === 0;
}
