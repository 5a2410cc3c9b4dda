/** Tokens that no server issues, signed with a server's own key or with another, spelled as the test wants. */
import { execFile } from 'node:child_process';
import { createPrivateKey, sign, type KeyObject } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { newUlid } from '../../packages/contracts/src/clock.ts';
import { testUser, type TestWeir } from './weir.ts';

export type Signer = Readonly<{ kid: string; audience: string; key: KeyObject }>;

const entry = fileURLToPath(new URL('signing-key-process.ts', import.meta.url));

/** The key of a running server's access tokens, read as a thief of both its folders would. */
export async function signingKeyOf(weir: TestWeir): Promise<Signer> {
  const asUser = process.getuid?.() === 0 ? { uid: testUser, gid: testUser } : {};
  const { stdout } = await promisify(execFile)(process.execPath, [entry], { env: weir.environment(), ...asUser });
  const { kid, audience, pkcs8 } = JSON.parse(stdout) as { kid: string; audience: string; pkcs8: string };
  return { kid, audience, key: createPrivateKey({ key: Buffer.from(pkcs8, 'base64'), format: 'der', type: 'pkcs8' }) };
}

/** What a good token of `sub` claims now. */
export function goodClaims({ audience }: Signer, sub: string): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1_000);
  return { iss: audience, aud: audience, sub, iat: now, nbf: now, exp: now + 600, jti: newUlid() };
}

/** A compact JWS of exactly these texts. */
export function signedToken(signer: Signer, payload: string, header: string = goodHeader(signer)): string {
  const signed = `${Buffer.from(header).toString('base64url')}.${Buffer.from(payload).toString('base64url')}`;
  return `${signed}.${sign(null, Buffer.from(signed), signer.key).toString('base64url')}`;
}

export const goodHeader = ({ kid }: Signer): string => JSON.stringify({ alg: 'EdDSA', kid, typ: 'weir-access+jwt' });
