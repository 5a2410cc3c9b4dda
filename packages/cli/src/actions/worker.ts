/** `weir worker`: this machine runs jobs for a server. */
import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { WeirError } from '@weir/contracts/errors';
import { readPrivateFile } from '@weir/credentials/private-file';
import { joinWorker } from '@weir/fleet/worker/join';
import { runWorker, type WorkerOptions } from '@weir/fleet/worker/main';
import { openMediaRunner } from '@weir/fleet/worker/media-runner';
import { pin, profilePath, readProfile } from '@weir/fleet/worker/profile';
import { parseDffmpegKey } from '@weir/security/request-signing/dffmpeg';
import { Secret } from '@weir/security/secret';
import { clientHome } from '@weir/server/places';
import { enterService, isRoot, prepareService, workerStart } from '@weir/server/privileges';
import { note, print, type Context } from '../context.ts';
import { watchLifetime } from '../lifetime.ts';
import { thisCommand } from './enter.ts';
import { printableLine } from '../terminal/printable.ts';

export type RunFlags = Readonly<{
  server?: string; name?: string; keyFile?: string; ca?: string; slots: number; data?: string; label?: readonly (readonly [string, string])[];
}>;
export type JoinFlags = Readonly<{ name?: string; data?: string; ca?: string }>;

type Identity = Pick<WorkerOptions, 'server' | 'fingerprint' | 'caPem' | 'name' | 'credentials' | 'onInstanceKey' | 'onCertificate'>;

const maxKeyBytes = 1_024;
/** Where a worker lives that is started as root. */
const serviceHome = '/var/lib/weir-worker';

export async function join(this: Context, flags: JoinFlags, link: string): Promise<void> {
  const name = flags.name ?? ownName();
  const home = enterHome(this, flags.data, flags.ca === undefined ? [] : [flags.ca]);
  const file = await joinWorker(link, name, home, await authority(flags));
  print(this, `This machine is worker ${name}; its key is in ${file}. Run it with: weir worker${flags.name === undefined ? '' : ` --name ${name}`}${flags.ca === undefined ? '' : ` --ca ${flags.ca}`}`);
}

/** Drains on the first signal, gives up what runs on the second, or when its parent is gone. */
export async function run(this: Context, flags: RunFlags): Promise<void> {
  const home = enterHome(this, flags.data, [flags.keyFile, flags.ca].filter((file) => file !== undefined));
  const identity = flags.keyFile === undefined ? await joined(home, flags) : await withKey(flags, flags.keyFile);
  const { run: media, capabilities } = await openMediaRunner();
  const { drain, stop } = watchLifetime(this.environment);
  await runWorker({
    ...identity, slots: flags.slots, labels: Object.fromEntries(flags.label ?? []), scratch: path.join(home, `scratch-${identity.name}`), capabilities, run: media,
    onEvent: (line) => note(this, printableLine(line)),
  }, { drain, stop });
}

/** The profile of `--name`, or the only one that there is. */
async function joined(home: string, flags: RunFlags): Promise<Identity> {
  const known = existsSync(home) ? readdirSync(home).flatMap((name) => /^worker-([a-z0-9._-]{1,64})\.json$/.exec(name)?.[1] ?? []) : [];
  const name = flags.name ?? (known.length === 1 ? known[0] : ownName());
  if (name === undefined || !known.includes(name)) {
    const others = known.length === 0 ? '' : ` (there are: ${known.join(', ')})`;
    throw new WeirError('object.absent', `This machine has not joined as a worker${flags.name === undefined ? '' : ` ${flags.name}`}${others}. On the server run \`weir admin worker invite\` and paste what it prints here.`);
  }
  const { address, credentials } = await readProfile(profilePath(home, name));
  return { ...address, name, credentials, ...pinning(home, name), ...await authority(flags) };
}

/** What the server changes while the worker runs is written one after the other: each writes the whole profile. */
function pinning(home: string, name: string): Required<Pick<WorkerOptions, 'onInstanceKey' | 'onCertificate'>> {
  let last = Promise.resolve();
  const next = (now: Parameters<typeof pin>[2]): Promise<void> => {
    last = last.catch(() => undefined).then(() => pin(home, name, now));
    return last;
  };
  return { onInstanceKey: (instanceKey) => next({ instanceKey }), onCertificate: (fingerprint) => next({ fingerprint }) };
}

/** A worker whose HMAC key came from `weir admin user add NAME --role worker`. */
async function withKey(flags: RunFlags, keyFile: string): Promise<Identity> {
  if (flags.server === undefined || flags.name === undefined) throw new WeirError('request.invalid', '--key-file goes with --server URL and --name NAME.');
  const text = Buffer.from(await readPrivateFile(keyFile, maxKeyBytes)).toString('utf8').trim();
  parseDffmpegKey(text);
  return { server: new URL(flags.server), name: flags.name, credentials: { kind: 'hmac', key: new Secret(Buffer.from(text, 'base64')) }, ...await authority(flags) };
}

const authority = async ({ ca }: Readonly<{ ca?: string }>): Promise<{ caPem?: string }> => (ca === undefined ? {} : { caPem: await readFile(ca, 'utf8') });

/** The folder of the key and the scratch space. Root goes on as the service's user, whose folder it is. */
function enterHome({ environment }: Context, data: string | undefined, files: readonly string[]): string {
  const chosen = data ?? environment['WEIR_HOME'] ?? (isRoot() ? serviceHome : undefined);
  const home = chosen === undefined ? clientHome(environment) : path.resolve(chosen);
  const start = workerStart(home, files, environment, thisCommand());
  prepareService(start);
  enterService(start);
  return home;
}

/** The machine's name as a principal may be called. */
const ownName = (): string => hostname().toLowerCase().replace(/[^a-z0-9._-]/g, '-').slice(0, 64) || 'worker';
