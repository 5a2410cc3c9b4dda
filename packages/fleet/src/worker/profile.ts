/** A worker's profile on its own machine: the key that never leaves it, the server, and what it pinned when it joined. */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { WeirError } from '@weir/contracts/errors';
import { PrincipalId } from '@weir/contracts/identity';
import { InstanceKey } from '@weir/contracts/workers';
import { readPrivateFile, writePrivateFile } from '@weir/credentials/private-file';
import type { WorkerCredentials } from './credentials.ts';
import type { ServerAddress } from './server-link.ts';

const maxProfileBytes = 16_384;

/** `private_key` is PKCS #8 in base64. */
const Profile = z.strictObject({
  version: z.literal(1), server: z.url(), name: PrincipalId, fingerprint: z.string().regex(/^[0-9a-f]{64}$/).nullable(),
  private_key: z.base64(), instance: z.string().min(1).max(128), instance_key: InstanceKey,
});

export type WorkerProfile = Readonly<{ name: string; address: ServerAddress; credentials: Extract<WorkerCredentials, { kind: 'ed25519' }> }>;

export const profilePath = (home: string, name: string): string => join(home, `worker-${PrincipalId.parse(name)}.json`);

export async function writeProfile(home: string, profile: Readonly<{
  name: string; server: URL; fingerprint: string | null; privateKey: KeyObject; instance: string; instanceKey: InstanceKey;
}>): Promise<string> {
  const path = profilePath(home, profile.name);
  const text = JSON.stringify({
    version: 1, server: profile.server.origin, name: profile.name, fingerprint: profile.fingerprint,
    private_key: profile.privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'), instance: profile.instance, instance_key: profile.instanceKey,
  } satisfies z.infer<typeof Profile>, undefined, 2);
  await writePrivateFile(path, Buffer.from(`${text}\n`));
  return path;
}

/** The same profile with the key that the instance signs with now, or with its new certificate. */
export async function pin(home: string, name: string, now: Readonly<{ instanceKey: InstanceKey } | { fingerprint: string }>): Promise<void> {
  const { address, credentials } = await readProfile(profilePath(home, name));
  const { privateKey, instance, instanceKey } = credentials;
  await writeProfile(home, { name, server: address.server, fingerprint: address.fingerprint ?? null, privateKey, instance, instanceKey, ...now });
}

/** Errors: `config.invalid` when the file is no profile, `file.permissions` when others can read it. */
export async function readProfile(path: string): Promise<WorkerProfile> {
  const text = Buffer.from(await readPrivateFile(path, maxProfileBytes)).toString('utf8');
  try {
    const profile = Profile.parse(JSON.parse(text));
    const privateKey = createPrivateKey({ key: Buffer.from(profile.private_key, 'base64'), type: 'pkcs8', format: 'der' });
    return {
      name: profile.name, address: { server: new URL(profile.server), ...(profile.fingerprint !== null && { fingerprint: profile.fingerprint }) },
      credentials: { kind: 'ed25519', privateKey, publicKey: createPublicKey(privateKey), instance: profile.instance, instanceKey: profile.instance_key },
    };
  } catch {
    // No cause: the text of a parse error may show a piece of the key.
    throw new WeirError('config.invalid', `${path} is not a worker’s profile; make it again with: weir worker join LINK`);
  }
}
