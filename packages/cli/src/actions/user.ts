/** `weir admin user …`: principals and their keys, changed on the server's machine; shown there, or through a server that is named. */
import { WeirError } from '@weir/contracts/errors';
import { toInstant, type Principal } from '@weir/contracts/identity';
import { findHolder } from '@weir/data/directory-lock';
import { externalOf } from '@weir/data/security-stores/external-identities';
import { createSignInSecret } from '@weir/data/security-stores/login-sessions';
import {
  addHmacKey, addPrincipal, anywhereSkewSeconds, changePrincipal, deletePrincipal, getPrincipal, listPrincipals, principalFacts, requireSafeSkew, revealHmacKey, type PrincipalChange, type PrincipalRow,
} from '@weir/data/security-stores/principals';
import { endEverything } from '@weir/data/security-stores/tokens';
import { readPrivateFile } from '@weir/credentials/private-file';
import { parseDffmpegKey } from '@weir/security/request-signing/dffmpeg';
import { compileNetworks } from '@weir/security/networks';
import * as principals from '@weir/sdk/principals';
import type { Instance } from '@weir/server/instance';
import { connect, throughServer } from '../client/connection.ts';
import { note, print, printJson, type Context } from '../context.ts';
import type { InstanceFlags, ServerFlags } from '../flags.ts';
import { tableText } from '../terminal/table.ts';
import { openForOperator, record } from './operator.ts';

type Common = InstanceFlags & Readonly<{ json?: boolean }>;
export type AddFlags = Common & Readonly<{ role: string; allowedCidrs?: readonly string[]; permission?: readonly string[]; kind?: 'user' | 'service'; maxSkew?: number; keyFile?: string; quiet?: boolean }>;
export type ShowFlags = ServerFlags & Readonly<{ json?: boolean; showKey?: boolean }>;
export type RotateFlags = Common & Readonly<{ overlap: number; keyFile?: string; quiet?: boolean }>;
export type ScopeFlags = Common & Readonly<{ allowedCidrs?: readonly string[] }>;
export type LinkFlags = Common & Readonly<{ quiet?: boolean }>;

const pageSize = 500;
const maxKeyBytes = 1_024;
const keyWarning = 'This key can not be shown again; keep it where only its owner can read it.';

export async function add(this: Context, flags: AddFlags, name: string): Promise<void> {
  compileNetworks(flags.allowedCidrs ?? []);
  const given = await readGivenKey(this, flags.keyFile);
  await using instance = await openForOperator(this, flags);
  const now = instance.clock();
  const key = await instance.data.write(async (tx) => {
    await addPrincipal(tx, instance.roles, { id: name, role: flags.role, permissions: flags.permission ?? [], networks: flags.allowedCidrs ?? [], kind: flags.kind, maxSkewSeconds: flags.maxSkew }, now);
    await requireSafeSkew(tx, name, { secure: isSecure(instance) });
    await record(tx, instance, 'user.write', `principal:${name}`, `added with role ${flags.role}`);
    return addHmacKey(tx, instance.keyRing, name, { now, given });
  });
  printKey(this, flags, { principal: name, role: flags.role, key: given === undefined ? key : null });
}

export async function rotateKey(this: Context, flags: RotateFlags, name: string): Promise<void> {
  const given = await readGivenKey(this, flags.keyFile);
  await using instance = await openForOperator(this, flags);
  const created = await instance.data.write(async (tx) => {
    const { role } = await getPrincipal(tx, name);
    const key = await addHmacKey(tx, instance.keyRing, name, { now: instance.clock(), overlapMs: flags.overlap * 1_000, given });
    await record(tx, instance, 'key.rotate', `principal:${name}`, flags.overlap === 0 ? 'old keys ended' : `old keys end in ${flags.overlap} s`);
    return { principal: name, role, key: given === undefined ? key : null };
  });
  printKey(this, flags, created);
}

/** The key that the other side has already: from a private file, or `-` for standard input. */
async function readGivenKey({ stdin }: Context, file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const text = file === '-' ? await readStandardInput(stdin) : Buffer.from(await readPrivateFile(file, maxKeyBytes)).toString('utf8');
  parseDffmpegKey(text.trim());
  return text.trim();
}

async function readStandardInput(stdin: NodeJS.ReadStream): Promise<string> {
  let text = '';
  for await (const piece of stdin.setEncoding('utf8')) {
    text += String(piece);
    if (text.length > maxKeyBytes) throw new WeirError('request.invalid', 'Standard input holds more than a key.');
  }
  return text;
}

const isSecure = ({ config: { server } }: Instance): boolean => server.tls || server.behind_proxy;

function printKey(context: Context, flags: Readonly<{ quiet?: boolean; json?: boolean }>, created: Readonly<{ principal: string; role: string; key: string | null }>): void {
  if (created.key === null) {
    if (flags.json === true) printJson(context, created);
    else if (flags.quiet !== true) print(context, `principal  ${created.principal}\nrole       ${created.role}\nkey        as given`);
    return;
  }
  if (flags.quiet === true) print(context, created.key);
  else if (flags.json === true) printJson(context, created);
  else print(context, `principal  ${created.principal}\nrole       ${created.role}\nkey        ${created.key}`);
  note(context, keyWarning);
}

export async function list(this: Context, flags: Common): Promise<void> {
  await using instance = await openForOperator(this, flags);
  const items = [];
  for (let after: string | undefined; ;) {
    const rows = await listPrincipals(instance.data.read, { after, limit: pageSize });
    items.push(...rows.map(toWire));
    after = rows.at(-1)?.id;
    if (rows.length < pageSize) break;
  }
  if (flags.json === true) return printJson(this, { items, next_cursor: null });
  print(this, tableText(['NAME', 'KIND', 'ROLE', 'NETWORKS', 'STATE', 'CREATED'], items.map((item) =>
    [item.principal, item.kind, item.role, item.networks.join(' ') || 'everywhere', item.disabled ? 'disabled' : 'active', item.created_at])));
}

export async function show(this: Context, flags: ShowFlags, name: string): Promise<void> {
  const { identities, ...principal } = await throughServer(this, flags) ? await askFor(this, flags, name) : await lookUp(this, flags, name);
  const shown = { ...principal, ...(identities.length === 0 ? {} : { identities: identities.map(({ issuer, subject }) => `${subject} of ${issuer}`) }) };
  if (flags.json === true) return printJson(this, shown);
  const width = Math.max(...Object.keys(shown).map((field) => field.length));
  print(this, Object.entries(shown).map(([field, value]) => `${field.padEnd(width)} ${Array.isArray(value) ? value.join(' ') || '-' : String(value ?? '-')}`).join('\n'));
}

async function askFor(context: Context, flags: ShowFlags, name: string) {
  const client = await connect(context, flags);
  const { signal } = context;
  const principal = await principals.show(client, name, { signal });
  const { items } = await principals.identities(client, name, { signal });
  return { ...principal, identities: items, ...(flags.showKey === true ? { key: (await principals.showKey(client, name, { signal })).key } : {}) };
}

/** The key is shown to who can open it anyway; the audit log says that it was. */
async function lookUp(context: Context, flags: ShowFlags, name: string) {
  await using instance = await openForOperator(context, flags);
  const principal = toWire(await getPrincipal(instance.data.read, name));
  const identities = await externalOf(instance.data.read, name);
  if (flags.showKey !== true) return { ...principal, identities };
  const { key } = await instance.data.write(async (tx) => {
    const revealed = await revealHmacKey(tx, instance.keyRing, name, instance.clock());
    await record(tx, instance, 'key.show', `principal:${name}`, `key ${revealed.id} shown`);
    return revealed;
  });
  return { ...principal, identities, key };
}

export async function setScope(this: Context, flags: ScopeFlags, name: string): Promise<void> {
  const networks = flags.allowedCidrs ?? [];
  compileNetworks(networks); // a bad one would lock its principal out
  await change(this, flags, name, { networks }, networks.length === 0 ? 'may come from everywhere' : `may come from ${networks.join(', ')}`);
}
export async function setSkew(this: Context, flags: Common, name: string, seconds: number): Promise<void> {
  await change(this, flags, name, { maxSkewSeconds: seconds === anywhereSkewSeconds ? null : seconds }, `signatures may be ${seconds} s off`);
}
/** The sessions, tokens and streams of a principal end; it stays, and may sign in again. */
export async function endAll(this: Context, flags: Common, name: string): Promise<void> {
  await using instance = await openForOperator(this, flags);
  await instance.data.write(async (tx) => {
    await endEverything(tx, name, instance.clock());
    await record(tx, instance, 'user.write', `principal:${name}`, 'all tokens and sessions ended');
  });
  if (flags.json !== true) print(this, `${name}: all tokens and sessions ended; what runs under them ends within a second.`);
}
export async function disable(this: Context, flags: Common, name: string): Promise<void> {
  await change(this, flags, name, { disabled: true }, 'disabled');
}
export async function enable(this: Context, flags: Common, name: string): Promise<void> {
  await change(this, flags, name, { disabled: false }, 'enabled');
}

async function change(context: Context, flags: Common, name: string, wanted: PrincipalChange, reason: string): Promise<void> {
  await using instance = await openForOperator(context, flags);
  const row = await instance.data.write(async (tx) => {
    await changePrincipal(tx, instance.roles, name, wanted);
    if (wanted.networks !== undefined || wanted.maxSkewSeconds !== undefined) await requireSafeSkew(tx, name, { secure: isSecure(instance) });
    await record(tx, instance, 'user.write', `principal:${name}`, reason);
    return getPrincipal(tx, name);
  });
  if (flags.json === true) return printJson(context, toWire(row));
  print(context, `${name}: ${reason}.`);
}

export async function remove(this: Context, flags: Common, name: string): Promise<void> {
  await using instance = await openForOperator(this, flags);
  await instance.data.write(async (tx) => {
    await deletePrincipal(tx, instance.roles, name, instance.clock());
    await record(tx, instance, 'user.write', `principal:${name}`, 'deleted');
  });
  if (flags.json !== true) print(this, `${name}: deleted. What it owned stays, owned by that name.`);
}

export async function link(this: Context, flags: LinkFlags, name: string): Promise<void> {
  await using instance = await openForOperator(this, flags);
  const made = await makeSignInLink(instance, name);
  if (flags.json === true) return printJson(this, { link: made });
  print(this, made);
  if (flags.quiet !== true) note(this, 'Works once, within ten minutes.');
}

/** A name of the instance's own keeps its cookie apart from other servers on other ports of this machine. */
async function makeSignInLink(instance: Instance, name: string): Promise<string> {
  const base = new URL((await findHolder(instance.dataPath))?.address ?? configuredAddress(instance));
  if (base.hostname === '127.0.0.1') base.hostname = `${instance.id}.localhost`;
  const secret = await instance.data.write(async (tx) => {
    await record(tx, instance, 'user.write', `principal:${name}`, 'sign-in link');
    return createSignInSecret(tx, name, instance.clock());
  });
  return `${base.origin}/sign-in#${secret}`;
}

function configuredAddress({ config }: Instance): string {
  const { public_url: publicUrl, tls, address, port } = config.server;
  return publicUrl ?? `${tls ? 'https' : 'http'}://${address.includes(':') ? `[${address}]` : address}:${port}`;
}

const toWire = (row: PrincipalRow): Omit<Principal, 'kind'> & { kind: string } =>
  ({ principal: row.id, kind: row.kind, role: row.role, created_at: toInstant(row.created_at), ...principalFacts(row) });
