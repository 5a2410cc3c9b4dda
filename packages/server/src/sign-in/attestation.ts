/** Whether a new passkey is one that was asked for: the library's checks (WebAuthn Level 3 §7.1), and what it lets pass. */
import { verifyRegistrationResponse, type WebAuthnCredential } from '@simplewebauthn/server';
import { cose, decodeAttestationObject, decodeCredentialPublicKey, isoCBOR } from '@simplewebauthn/server/helpers';
import type { Registration } from '@weir/contracts/sign-in';
import { strongPublicKey } from '@weir/security/public-keys';

/** COSE algorithms (RFC 9053 §2, RFC 8812 §2) that passkeys may sign by, in the order in which they are wanted. */
export const passkeyAlgorithms: number[] = [cose.COSEALG.EdDSA, cose.COSEALG.ES256, cose.COSEALG.RS256];

/** The credential that a registration brings. Throws for every other answer. */
export async function verifiedCredential(registration: Registration, expected: Readonly<{ challenge: string; origin: string; rpId: string }>): Promise<WebAuthnCredential> {
  const { id, rawId, response: { clientDataJSON, attestationObject } } = registration;
  if (!isUnattested(Uint8Array.from(Buffer.from(attestationObject, 'base64url')))) throw new TypeError('a form of attestation that was not asked for');
  const { registrationInfo: made } = await verifyRegistrationResponse({
    response: { id, rawId, type: 'public-key', clientExtensionResults: {}, response: { clientDataJSON, attestationObject } },
    expectedChallenge: expected.challenge, expectedOrigin: expected.origin, expectedRPID: expected.rpId, requireUserVerification: true, supportedAlgorithmIDs: passkeyAlgorithms,
  });
  if (made?.credential.id !== id || !isStrong(made.credential.publicKey)) throw new TypeError('another credential than it says, or a key that is weak');
  return made.credential;
}

/**
 * Whether an attestation object is of one of the two forms that browsers send where none is asked for: `none`, or signed by the new key
 * itself. Every other form brings certificates, and the library fetches lists of revocations from wherever those say. Nothing follows the object.
 */
function isUnattested(bytes: Uint8Array<ArrayBuffer>): boolean {
  const object: unknown = decodeAttestationObject(bytes);
  if (!(object instanceof Map) || isoCBOR.encode(object).length !== bytes.length) return false;
  const statement: unknown = object.get('attStmt');
  return statement instanceof Map && (object.get('fmt') === 'none' || (object.get('fmt') === 'packed' && !statement.has('x5c') && !statement.has('ecdaaKeyId')));
}

/** Whether a COSE key (RFC 9052 §7, RFC 9053 §7) is of the kind and curve of its algorithm, and strong. */
function isStrong(bytes: Uint8Array<ArrayBuffer>): boolean {
  const key: unknown = decodeCredentialPublicKey(bytes);
  if (!(key instanceof Map)) return false;
  const { kty, alg, crv, x, y, n, e } = cose.COSEKEYS;
  const [kind, algorithm, curve] = [kty, alg, crv].map((label): unknown => key.get(label));
  const text = (label: number): string | undefined => {
    const value: unknown = key.get(label);
    return value instanceof Uint8Array ? Buffer.from(value).toString('base64url') : undefined;
  };
  switch (algorithm) {
    case cose.COSEALG.EdDSA: return kind === cose.COSEKTY.OKP && curve === cose.COSECRV.ED25519 && strongPublicKey({ kty: 'OKP', crv: 'Ed25519', x: text(x) }) !== undefined;
    case cose.COSEALG.ES256: return kind === cose.COSEKTY.EC2 && curve === cose.COSECRV.P256 && strongPublicKey({ kty: 'EC', crv: 'P-256', x: text(x), y: text(y) }) !== undefined;
    case cose.COSEALG.RS256: return kind === cose.COSEKTY.RSA && strongPublicKey({ kty: 'RSA', n: text(n), e: text(e) }) !== undefined;
    default: return false;
  }
}
