/** The key that a command signs its requests with, in place of a token: `--key-file` with `--as`, or the environment. */
import { createPrivateKey } from 'node:crypto';
import { WeirError } from '@weir/contracts/errors';
import { PrincipalId } from '@weir/contracts/identity';
import { readPrivateFile } from '@weir/credentials/private-file';
import { parseDffmpegKey } from '@weir/security/request-signing/dffmpeg';
import type { SignerOptions } from '@weir/sdk/client';
import type { SigningKey } from '@weir/sdk/signer';

const maxKeyBytes = 4_096;

/**
 * Who signs, from a file of mode 0600: the line that `weir admin user add` printed, or an Ed25519 key in PEM whose public half the server
 * knows. Errors: `file.permissions`, `config.invalid`, `request.invalid` without a name.
 */
export async function readSigner(file: string, name: string | undefined): Promise<SignerOptions> {
  const principal = PrincipalId.safeParse(name);
  if (!principal.success) throw new WeirError('request.invalid', 'Say whose key that is: --as NAME, or WEIR_PRINCIPAL.');
  const text = Buffer.from(await readPrivateFile(file, maxKeyBytes)).toString('utf8').trim();
  return { principal: principal.data, key: text.startsWith('-----BEGIN') ? ed25519Key(file, text) : sharedKey(text) };
}

function sharedKey(text: string): SigningKey {
  parseDffmpegKey(text);
  return { algorithm: 'hmac-sha256', secret: Uint8Array.from(Buffer.from(text, 'base64')) };
}

function ed25519Key(file: string, pem: string): SigningKey {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return { algorithm: 'ed25519', pkcs8: Uint8Array.from(key.export({ type: 'pkcs8', format: 'der' })) };
  } catch {
    // No cause: the text of an error about a key may show a piece of it.
  }
  throw new WeirError('config.invalid', `${file} holds no Ed25519 key in PEM (PKCS #8).`);
}
