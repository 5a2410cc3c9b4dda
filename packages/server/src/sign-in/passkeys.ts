/** What authenticators are asked, and whether their answers hold (WebAuthn Level 3 §7.1, §7.2). */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { WeirError } from '@weir/contracts/errors';
import type { Assertion, AssertionOptions, CreationOptions, Registration } from '@weir/contracts/sign-in';
import { listPasskeys, passkeyByCredential, type PasskeyRow } from '@weir/data/security-stores/passkeys';
import { readStrings } from '@weir/data/security-stores/identity-store';
import { EvidenceRefused } from '@weir/security/identity';
import { verifyAuthenticationResponse } from '@simplewebauthn/server';
import type { z } from 'zod';
import type { App } from '../app.ts';
import { passkeyAlgorithms, verifiedCredential } from './attestation.ts';
import { challengeLifeMs, newChallenge, useChallenge, type ChallengePurpose } from './challenges.ts';
import { requireRelyingParty } from './page-address.ts';

/** Options for a new passkey of `principal`: discoverable, verified by PIN or body, at this host; authenticators that hold one are left out. */
export async function creationOptions(app: App, incoming: IncomingMessage, principal: string): Promise<z.input<typeof CreationOptions>> {
  const party = requireRelyingParty(app, incoming);
  const known = await listPasskeys(app.data.read, principal);
  return {
    challenge: await newChallenge(app, 'passkey-add', principal), timeout: challengeLifeMs, rp: { id: party.id, name: 'Weir' }, attestation: 'none',
    user: { id: userHandle(app, principal).toString('base64url'), name: principal, displayName: principal },
    pubKeyCredParams: passkeyAlgorithms.map((alg) => ({ type: 'public-key', alg })),
    excludeCredentials: known.filter((row) => row.rp_id === party.id).map((row) => ({ type: 'public-key', ...descriptor(row) })),
    authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' },
  };
}

/** The passkey that a registration brings. `request.invalid` when it is not one that was asked for here and now. */
export async function verifyRegistration(
  app: App, incoming: IncomingMessage, principal: string, registration: Registration,
): Promise<Pick<PasskeyRow, 'credential' | 'public_key' | 'counter' | 'rp_id' | 'transports'>> {
  const party = requireRelyingParty(app, incoming);
  const challenge = await useChallenge(app, 'passkey-add', registration.response.clientDataJSON, principal);
  if (challenge === undefined) throw new WeirError('request.invalid', 'Adding a passkey took longer than five minutes, or was tried twice; start again.');
  const credential = await verifiedCredential(registration, { challenge, origin: party.origin, rpId: party.id }).catch((cause: unknown) => { throw notAPasskey(cause); });
  const { transports = [] } = registration.response;
  return { credential: credential.id, public_key: credential.publicKey, counter: credential.counter, rp_id: party.id, transports: JSON.stringify(transports) };
}

const notAPasskey = (cause: unknown): WeirError => new WeirError('request.invalid', 'This passkey does not fit what was asked for; start again, with a device that asks for a PIN, a finger or a face.', { cause });

/** Options to prove a passkey: of `principal`, or of whoever has one for this host. `subject` as in `newChallenge`. */
export async function assertionOptions(
  app: App, incoming: IncomingMessage, purpose: ChallengePurpose, who: Readonly<{ subject: string; principal?: string }>,
): Promise<z.input<typeof AssertionOptions>> {
  const party = requireRelyingParty(app, incoming);
  const known = who.principal === undefined ? [] : await listPasskeys(app.data.read, who.principal);
  return {
    challenge: await newChallenge(app, purpose, who.subject), timeout: challengeLifeMs, rpId: party.id, userVerification: 'required',
    allowCredentials: known.filter((row) => row.rp_id === party.id).map((row) => ({ type: 'public-key', ...descriptor(row) })),
  };
}

/** The passkey that an assertion proves, and its new counter, which `usePasskey` takes. Throws `EvidenceRefused` otherwise. */
export async function verifyAssertion(
  app: App, incoming: IncomingMessage, purpose: ChallengePurpose, subject: string, assertion: Assertion,
): Promise<{ passkey: PasskeyRow; counter: number }> {
  const party = requireRelyingParty(app, incoming);
  const { id, rawId, response: { clientDataJSON, authenticatorData, signature, userHandle: handle } } = assertion;
  const challenge = await useChallenge(app, purpose, clientDataJSON, subject);
  if (challenge === undefined) throw new EvidenceRefused('passkey challenge');
  const passkey = await passkeyByCredential(app.data.read, id);
  if (passkey === undefined || passkey.rp_id !== party.id) throw new EvidenceRefused('passkey unknown');
  // Who is not known by anything else has to be named by the authenticator too (§7.2 step 6).
  const isNamed = handle === undefined ? purpose !== 'passkey-sign-in' : handle === userHandle(app, passkey.principal).toString('base64url');
  if (!isNamed) throw new EvidenceRefused('passkey of another', passkey.principal);
  const verified = await verifyAuthenticationResponse({
    response: { id, rawId, type: 'public-key', clientExtensionResults: {}, response: { clientDataJSON, authenticatorData, signature } },
    expectedChallenge: challenge, expectedOrigin: party.origin, expectedRPID: party.id, requireUserVerification: true,
    credential: { id: passkey.credential, publicKey: new Uint8Array(passkey.public_key), counter: passkey.counter },
  }).catch(() => undefined); // every answer that does not hold is the same to who sent it
  if (verified?.verified !== true) throw new EvidenceRefused('passkey', passkey.principal);
  return { passkey, counter: verified.authenticationInfo.newCounter };
}

const descriptor = (row: PasskeyRow) => ({ id: row.credential, transports: readStrings(row.transports) });

/** The user handle (WebAuthn §5.4.3): the same for all passkeys of a principal, and it says nothing about the principal. */
const userHandle = (app: App, principal: string): Buffer => createHash('sha256').update(JSON.stringify(['weir/user-handle/v1', app.instanceId, principal])).digest();
