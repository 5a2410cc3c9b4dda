/** TLS of the listener: the operator's certificate, or a self-signed one made at the first start. */
import { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { RequestListener, Server, ServerOptions } from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { createSecureContext } from 'node:tls';
import { WeirError } from '@weir/contracts/errors';
import { readPrivateFile, writePrivateFile } from '@weir/credentials/private-file';
import type { Config } from './config/schema.ts';

const mostPemBytes = 262_144;
const lifeDays = 825;
/** A visitor who does not finish its handshake in this time takes a place for nothing. */
const handshakeTimeout = 10_000;

type Files = Readonly<{ cert: string; key: string }>;
type Pair = Readonly<{ cert: string; key: string; leaf: X509Certificate }>;

/** The listener's certificate: what it is now, and how to read it again while connections go on. */
export class ServerTls {
  readonly files: Files;
  #pair: Pair;
  readonly #servers: https.Server[] = [];
  readonly #listeners: (() => void)[] = [];

  readonly #clientCa: string | undefined;

  /** `clientCa`: certificates of an authority in PEM; clients may then show one of its own, and none is refused for not having one. */
  constructor(files: Files, pair: Pair, clientCa?: string) {
    this.files = files;
    this.#pair = pair;
    this.#clientCa = clientCa;
  }

  /** SHA-256 of the certificate, in hex without colons: what workers pin. */
  get fingerprint(): string { return this.#pair.leaf.fingerprint256.replaceAll(':', '').toLowerCase(); }
  get certificatePem(): string { return this.#pair.cert; }

  createServer(options: ServerOptions, handler: RequestListener): Server {
    const asked = this.#clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: false };
    const server = https.createServer({ ...options, ...asked, handshakeTimeout, ...contextOf(this.#pair, this.#clientCa) }, handler);
    this.#servers.push(server);
    return server;
  }

  /** Called after each change of the certificate. */
  onChange(listener: () => void): void { this.#listeners.push(listener); }

  /** Reads the files again; new connections get what they hold, open ones go on. True if it is another certificate. A pair that can't be used throws, and the old one stays. */
  async reload(): Promise<boolean> {
    const pair = await readPair(this.files);
    if (pair.cert === this.#pair.cert && pair.key === this.#pair.key) return false;
    for (const server of this.#servers) server.setSecureContext(contextOf(pair, this.#clientCa));
    this.#pair = pair;
    for (const listener of this.#listeners) listener();
    return true;
  }
}

const contextOf = ({ cert, key }: Pair, clientCa?: string) =>
  ({ cert, key, minVersion: 'TLSv1.2' as const, honorCipherOrder: true, ...(clientCa === undefined ? {} : { ca: clientCa }) });

/** Undefined without `[server] tls`. `directory` is where a self-signed pair is kept: beside the master keys. */
export async function openTls(config: Config, directory: string, instanceId: string): Promise<ServerTls | undefined> {
  const { tls, cert_path: certPath, key_path: keyPath, address, allowed_hosts: hosts } = config.server;
  if (!tls) return undefined;
  if ((certPath === undefined) !== (keyPath === undefined)) throw new WeirError('config.invalid', '[server] cert_path and key_path go together: set both, or neither for a self-signed certificate.');
  const files = certPath !== undefined && keyPath !== undefined
    ? { cert: certPath, key: keyPath } : await selfSigned(path.join(directory, `${instanceId}-tls`), address, hosts);
  return new ServerTls(files, await readPair(files), config.server.client_ca_path === undefined ? undefined : await readPem(config.server.client_ca_path));
}

async function readPair(files: Files): Promise<Pair> {
  const cert = await readPem(files.cert);
  const key = Buffer.from(await readPrivateFile(files.key, mostPemBytes)).toString('utf8');
  const leaf = parseCertificate(cert, files.cert);
  if (Date.parse(leaf.validTo) < Date.now()) throw new WeirError('config.invalid', `The certificate ${files.cert} ended on ${leaf.validTo}; renew it.`);
  const pair = { cert, key, leaf };
  try {
    createSecureContext(contextOf(pair));
  } catch (cause) {
    throw new WeirError('config.invalid', `${files.key} is not the private key of the certificate ${files.cert}.`, { cause });
  }
  return pair;
}

async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new WeirError('config.invalid', `The certificate ${file} can not be read.`, { cause });
  }
}

function parseCertificate(pem: string, file: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new WeirError('config.invalid', `${file} is not a PEM certificate.`, { cause });
  }
}

async function selfSigned(base: string, address: string, hosts: readonly string[]): Promise<{ cert: string; key: string }> {
  const files = { cert: `${base}.pem`, key: `${base}.key` };
  if (existsSync(files.cert) && existsSync(files.key)) return files;
  // Loaded only here: it is large, and needed once in the life of an instance.
  const { generate } = await import('selfsigned');
  const names = ['localhost', ...hosts.filter((host) => /^[A-Za-z0-9.-]+$/.test(host))];
  const addresses = [...new Set(['127.0.0.1', '::1', address])].filter((ip) => ip !== '0.0.0.0' && ip !== '::');
  const now = new Date();
  const made = await generate([{ name: 'commonName', value: 'Weir' }], {
    keyType: 'ec', curve: 'P-256', algorithm: 'sha256', notBeforeDate: now, notAfterDate: new Date(now.getTime() + lifeDays * 86_400_000),
    extensions: [{ name: 'subjectAltName', altNames: [...names.map((value) => ({ type: 2 as const, value })), ...addresses.map((ip) => ({ type: 7 as const, ip }))] }],
  });
  await writePrivateFile(files.key, Buffer.from(made.private));
  await writePrivateFile(files.cert, Buffer.from(made.cert));
  return files;
}
