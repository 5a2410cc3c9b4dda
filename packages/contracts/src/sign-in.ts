/** Signing in by passkeys (WebAuthn Level 3, in the JSON forms of its §5.1) and by other providers, and proving again who one is. */
import { z } from 'zod';
import { Instant, Ulid } from './identity.ts';

export const ProviderName = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'a provider is named with a-z, 0-9, "-", at most 32');
const base64url = (most: number) => z.string().max(most).regex(/^[A-Za-z0-9_-]+$/, 'not base64url');
const CredentialId = base64url(1_400);
const Transports = z.array(z.string().max(32)).max(16);

/** What the page can offer here: passkeys only where the address is a host name that they are kept for. */
export const SignInMethods = z.strictObject({ passkeys: z.boolean(), providers: z.array(z.strictObject({ name: ProviderName })) });

export const Passkey = z.strictObject({
  passkey_id: Ulid, name: z.string(), host: z.string(), created_at: Instant, last_used_at: Instant.nullable(),
});
export type Passkey = z.infer<typeof Passkey>;
export const PasskeyName = z.string().trim().min(1).max(60);

const Descriptor = z.strictObject({ type: z.literal('public-key'), id: CredentialId, transports: Transports });
/** `PublicKeyCredentialRequestOptionsJSON`. */
export const AssertionOptions = z.strictObject({
  challenge: base64url(64), timeout: z.int(), rpId: z.string(), allowCredentials: z.array(Descriptor), userVerification: z.literal('required'),
});
/** `PublicKeyCredentialCreationOptionsJSON`. */
export const CreationOptions = z.strictObject({
  challenge: base64url(64), timeout: z.int(), rp: z.strictObject({ id: z.string(), name: z.string() }),
  user: z.strictObject({ id: base64url(86), name: z.string(), displayName: z.string() }),
  pubKeyCredParams: z.array(z.strictObject({ type: z.literal('public-key'), alg: z.int() })),
  excludeCredentials: z.array(Descriptor), attestation: z.literal('none'),
  authenticatorSelection: z.strictObject({ residentKey: z.literal('required'), requireResidentKey: z.literal(true), userVerification: z.literal('required') }),
});

const credential = {
  id: CredentialId, rawId: CredentialId, type: z.literal('public-key'), authenticatorAttachment: z.string().max(32).optional(),
  /** Results of extensions: none was asked for, none is looked at. */
  clientExtensionResults: z.record(z.string().max(64), z.unknown()),
};
/** `AuthenticationResponseJSON`. */
export const Assertion = z.strictObject({
  ...credential,
  response: z.strictObject({ clientDataJSON: base64url(4_096), authenticatorData: base64url(4_096), signature: base64url(2_048), userHandle: base64url(128).optional() }),
});
export type Assertion = z.infer<typeof Assertion>;
/** `RegistrationResponseJSON`. The parts that repeat what the attestation object says are not looked at. */
export const Registration = z.strictObject({
  ...credential,
  response: z.strictObject({
    clientDataJSON: base64url(4_096), attestationObject: base64url(32_768), transports: Transports.optional(),
    authenticatorData: base64url(16_384).optional(), publicKey: base64url(4_096).optional(), publicKeyAlgorithm: z.int().optional(),
  }),
});
export type Registration = z.infer<typeof Registration>;
export const PasskeyCreate = z.strictObject({ name: PasskeyName, registration: Registration });

/** A fresh proof of who uses a session. */
export const StepUp = z.discriminatedUnion('method', [
  z.strictObject({ method: z.literal('passkey'), assertion: Assertion }),
  z.strictObject({ method: z.literal('link'), secret: z.string().min(20).max(200) }),
]);

/** `provider` is null for issuers that sign-in is not configured for. */
export const LinkedIdentity = z.strictObject({ issuer: z.string(), subject: z.string(), provider: ProviderName.nullable(), created_at: Instant });
export type LinkedIdentity = z.infer<typeof LinkedIdentity>;
/** Where the browser goes next. */
export const Onward = z.strictObject({ location: z.url() });

/** Why the browser came back from a provider without being signed in; in the address of the page that says what to do. */
export const SignInProblem = z.enum(['expired', 'unreachable', 'refused', 'unlinked', 'unmapped', 'domain', 'disabled', 'linked_elsewhere']);
export type SignInProblem = z.infer<typeof SignInProblem>;
