/** A server as it presents itself: its name, and the keys that its answers and assignments are signed with. */
import { z } from 'zod';
import { InstanceKey } from './workers.ts';

export const InstanceDocument = z.strictObject({ instance: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/), keys: z.array(InstanceKey).max(16) });
export type InstanceDocument = z.infer<typeof InstanceDocument>;
/** Where every server has it. */
export const instancePath = '/.well-known/weir-instance';

/**
 * Where a server says which TLS certificate is its own, in words that its keys sign: so a worker that pinned the one before follows a renewal.
 * The asker's `nonce` (16 random bytes in base64url) is in them, so that nobody can hand on an old word.
 */
export const certificatePath = '/.well-known/weir-certificate';
export const CertificateQuery = z.strictObject({ nonce: z.string().regex(/^[A-Za-z0-9_-]{22}$/) });
/** Claims of a word; `fingerprint` is the SHA-256 of the certificate (DER) in hex. */
export const CertificateClaims = z.strictObject({ instance: z.string().min(1).max(128), fingerprint: z.string().regex(/^[0-9a-f]{64}$/), nonce: z.string().max(22) });
export type CertificateClaims = z.infer<typeof CertificateClaims>;
/** One word (compact JWS, typ `weir-certificate+jwt`) of each key of the instance, because the asker may know an older one. */
export const CertificateWords = z.strictObject({ words: z.array(z.string().max(1_024)).max(16) });

/** What a refusal for the time of a signature says beside its message: the server's clock, RFC 3339. Only who signed rightly gets it. */
export const serverTimeFact = 'server_time';
