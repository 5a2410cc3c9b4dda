/** What proves the requests of a program that has a key in place of a token, and checks that the answers are the server's. */
import type { InstanceDocument } from '@weir/contracts/instance';

/** A request as it is sent: `target` is the path with its query, `body` all of it (none: undefined). Header names in lower case. */
export type ProvableRequest = Readonly<{ method: string; target: string; headers: Readonly<Record<string, string>>; body: Uint8Array<ArrayBuffer> | undefined }>;
export type ReceivedAnswer = Readonly<{ status: number; headers: Headers; body: Uint8Array<ArrayBuffer> }>;

/** All headers of a request with its proof. `isAnswer` says whether an answer to it is the server's own; undefined where answers are not signed. */
export type Proof = Readonly<{ headers: Record<string, string>; isAnswer?: (answer: ReceivedAnswer) => Promise<boolean> }>;

export type Signer = Readonly<{
  /** `nowMs` is the server's time as far as it is known. Errors: `config.invalid` when the key is not of its kind. */
  prove: (request: ProvableRequest, nowMs: number) => Promise<Proof>;
}>;

/** 32 bytes that the server shares, as `weir admin user add` prints them in base64, or an Ed25519 key (PKCS #8) whose public half it knows. */
export type SigningKey =
  | Readonly<{ algorithm: 'hmac-sha256'; secret: Uint8Array<ArrayBuffer> }>
  | Readonly<{ algorithm: 'ed25519'; pkcs8: Uint8Array<ArrayBuffer> }>;

/** The server's name and keys: `known` at first, `again` when an answer names a key that is not among them. */
export type ServerSource = Readonly<{ known: () => Promise<InstanceDocument>; again: () => Promise<InstanceDocument> }>;
