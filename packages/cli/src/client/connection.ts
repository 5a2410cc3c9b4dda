/** Finds the server and what to prove oneself with: flags, the environment, else the server of this machine and a short token for it. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { errors, WeirError } from '@weir/contracts/errors';
import { readPrivateFile } from '@weir/credentials/private-file';
import { findHolder } from '@weir/data/directory-lock';
import { createClient, type Client } from '@weir/sdk/client';
import { dataDirectory, keyDirectory } from '@weir/server/places';
import { isRoot } from '@weir/server/privileges';
import { loadFor, thisCommand } from '../actions/enter.ts';
import type { Context, Environment } from '../context.ts';
import type { ServerFlags } from '../flags.ts';
import { serverUrl } from '../parse.ts';
import { readSigner } from './signing-key.ts';

const firstAdmin = 'admin';
const tokenSeconds = 300;
const maxTokenBytes = 16_384;
const maxPemBytes = 1 << 20;
const run = promisify(execFile);

/**
 * A client for the server that `--server` or `WEIR_SERVER` names, else for the one that runs on this machine. The token is `WEIR_TOKEN`,
 * or in `WEIR_TOKEN_FILE`; without one, who can read this machine's data and keys acts as `admin`, on this machine's server only.
 * With a key in a file each request is signed instead. Errors: `server.unreachable`, `identity.required`, `file.permissions`.
 */
export async function connect({ environment }: Context, flags: ServerFlags): Promise<Client> {
  const local = await localServer(flags, environment);
  const named = flags.server ?? given(environment, 'WEIR_SERVER');
  const baseUrl = named === undefined ? local?.url : serverUrl(named);
  if (baseUrl === undefined) {
    throw new WeirError('server.unreachable', 'No Weir runs on this machine (with your data directory). Start one with `weir up`, or name a server with --server or WEIR_SERVER.');
  }
  const isLocal = local !== undefined && samePlace(baseUrl, local.url);
  trust(flags.ca ?? given(environment, 'WEIR_CA'), isLocal ? local.certificate : undefined);
  const keyFile = flags.keyFile ?? given(environment, 'WEIR_KEY_FILE');
  if (keyFile !== undefined) return createClient({ baseUrl, signer: await readSigner(keyFile, flags.as ?? given(environment, 'WEIR_PRINCIPAL')) });
  const token = given(environment, 'WEIR_TOKEN') ?? await tokenFromFile(environment) ?? (isLocal ? await operatorToken(flags, environment) : undefined);
  if (token === undefined) {
    throw new WeirError('identity.required', `Set WEIR_TOKEN for ${baseUrl}, or sign with --key-file FILE --as NAME; on its machine, \`weir token issue --principal NAME\` makes one.`);
  }
  return createClient({ baseUrl, token: () => token });
}

/**
 * Whether a command goes through a server that is named, and not to the database of this machine: the operator of a machine needs no
 * proof that a token could not give, such as changes of keys ask for.
 */
export async function throughServer({ environment }: Context, flags: ServerFlags): Promise<boolean> {
  const named = flags.server ?? given(environment, 'WEIR_SERVER');
  if (named === undefined) return false;
  const local = await localServer(flags, environment);
  return local === undefined || !samePlace(serverUrl(named), local.url);
}

type LocalServer = Readonly<{ url: string; certificate: string | undefined }>;

/** The server that holds this user's data directory, with the certificate that it made for itself. */
async function localServer(flags: ServerFlags, environment: Environment): Promise<LocalServer | undefined> {
  if ((flags.server ?? given(environment, 'WEIR_SERVER')) !== undefined && given(environment, 'WEIR_TOKEN') !== undefined) return undefined;
  const { config } = loadFor(flags, environment);
  const data = dataDirectory(config, flags.data, environment);
  if (!existsSync(path.join(data, 'lock'))) return undefined;
  const address = (await findHolder(data))?.address;
  if (address === undefined || address === null) return undefined;
  const keys = keyDirectory(config, environment);
  return { url: new URL(address).origin, certificate: config.server.cert_path ?? selfSignedIn(keys) };
}

/** `weir-…-tls.pem` beside the master key; with several instances none is guessed. */
function selfSignedIn(keys: string): string | undefined {
  const found = existsSync(keys) ? readdirSync(keys).filter((name) => /^weir-[0-9a-f]{10}-tls\.pem$/.test(name)) : [];
  return found.length === 1 && found[0] !== undefined ? path.join(keys, found[0]) : undefined;
}

/** Loopback names are one place: who listens on that port of this machine is the server that was found there. */
function samePlace(a: string, b: string): boolean {
  const [one, other] = [new URL(a), new URL(b)];
  const name = ({ hostname }: URL): string => (/^(127\.0\.0\.1|\[::1\]|localhost|.*\.localhost)$/.test(hostname) ? 'loopback' : hostname);
  return one.protocol === other.protocol && one.port === other.port && name(one) === name(other);
}

/** Adds authorities to the ones that Node trusts. */
function trust(...files: readonly (string | undefined)[]): void {
  const pems = files.filter((file) => file !== undefined).map((file) => {
    const pem = readFileSync(file, 'utf8');
    if (pem.length > maxPemBytes || !pem.includes('-----BEGIN CERTIFICATE-----')) throw new WeirError('config.invalid', `${file} is no PEM certificate.`);
    return pem;
  });
  if (pems.length > 0) tls.setDefaultCACertificates([...tls.getCACertificates('default'), ...pems]);
}

async function tokenFromFile(environment: Environment): Promise<string | undefined> {
  const file = given(environment, 'WEIR_TOKEN_FILE');
  return file === undefined ? undefined : Buffer.from(await readPrivateFile(file, maxTokenBytes)).toString('utf8').trim();
}

/** Five minutes as `admin`, which is not made anew where it was deleted. */
async function operatorToken(flags: ServerFlags, environment: Environment): Promise<string> {
  try {
    return await tokenOfAdmin(flags, environment);
  } catch (cause) {
    if (!(cause instanceof Error && (Reflect.get(cause, 'exitCode') ?? Reflect.get(cause, 'code')) === errors['principal.absent'].exit)) throw cause;
    throw new WeirError('identity.required', `Commands on this machine act as "${firstAdmin}", and there is no such principal any more. Set WEIR_TOKEN to a token of another: weir token issue --principal NAME --quiet`, { cause });
  }
}

/** Root asks a process of the service's user, so that no file of the database becomes root's. */
async function tokenOfAdmin(flags: ServerFlags, environment: Environment): Promise<string> {
  if (isRoot()) {
    const places = [...(flags.data === undefined ? [] : ['--data', flags.data]), ...(flags.config === undefined ? [] : ['--config', flags.config])];
    const order = ['token', 'issue', '--principal', firstAdmin, '--existing', '--expires', `${tokenSeconds}s`, '--quiet', ...places];
    return (await run(process.execPath, [...process.execArgv, thisCommand()[0] ?? '', ...order], { timeout: 30_000 })).stdout.trim();
  }
  const { openInstance } = await import('@weir/server/instance');
  const { issueAsOperator } = await import('../actions/token.ts');
  await using instance = await openInstance({ config: loadFor(flags, environment).config, dataFlag: flags.data, environment, create: false });
  return (await issueAsOperator(instance, { principal: firstAdmin, existing: true, expiresInSeconds: tokenSeconds })).token;
}

/** An empty variable counts as none. */
const given = (environment: Environment, name: string): string | undefined => environment[name] === '' ? undefined : environment[name];
