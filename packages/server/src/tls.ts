/** TLS of the listener: the operator's certificate, or a self-signed one made at the first start. */
import { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { RequestListener, Server, ServerOptions } from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { WeirError } from '@weir/contracts/errors';
import { readPrivateFile, writePrivateFile } from '@weir/credentials/private-file';
import type { Config } from './config/schema.ts';

export type ServerTls = Readonly<{
  /** SHA-256 of the certificate, in hex without colons: what workers pin. */
  fingerprint: string;
  certificatePem: string;
  selfSigned: boolean;
  createServer(options: ServerOptions, handler: RequestListener): Server;
}>;

const mostPemBytes = 262_144;
const lifeDays = 825;

/** Undefined without `[server] tls`. `directory` is where a self-signed pair is kept: beside the master keys. */
export async function openTls(config: Config, directory: string, instanceId: string): Promise<ServerTls | undefined> {
  const { tls, cert_path: certPath, key_path: keyPath, address, allowed_hosts: hosts } = config.server;
  if (!tls) return undefined;
  if ((certPath === undefined) !== (keyPath === undefined)) throw new WeirError('config.invalid', '[server] cert_path and key_path go together: set both, or neither for a self-signed certificate.');
  const files = certPath !== undefined && keyPath !== undefined
    ? { cert: certPath, key: keyPath } : await selfSigned(path.join(directory, `${instanceId}-tls`), address, hosts);
  const cert = await readPem(files.cert);
  const key = Buffer.from(await readPrivateFile(files.key, mostPemBytes)).toString('utf8');
  const leaf = parseCertificate(cert, files.cert);
  if (Date.parse(leaf.validTo) < Date.now()) throw new WeirError('config.invalid', `The certificate ${files.cert} ended on ${leaf.validTo}; renew it.`);
  return {
    fingerprint: leaf.fingerprint256.replaceAll(':', '').toLowerCase(), certificatePem: cert, selfSigned: certPath === undefined,
    createServer: (options, handler) => https.createServer({ ...options, cert, key, minVersion: 'TLSv1.2', honorCipherOrder: true }, handler),
  };
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
