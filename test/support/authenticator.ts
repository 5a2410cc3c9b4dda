/** A software authenticator and the browser before it (WebAuthn Level 3): honest unless told otherwise, for requests that no browser would send. */
import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';

type Options = Readonly<{ challenge: string; rpId?: string; rp?: Readonly<{ id: string }>; user?: Readonly<{ id: string }> }>;
/** What is told other than it is. */
export type Lies = Readonly<{
  origin?: string; rpId?: string; type?: string; challenge?: string; flags?: number; counter?: number; userHandle?: string | undefined; crossOrigin?: unknown; topOrigin?: string;
  /** The key in the form of COSE, the format of the attestation and its statement, the id that is spoken of beside it. */
  cose?: Buffer; format?: string; statement?: Buffer; id?: string;
  /** What becomes of the authenticator data, the attestation object and the signature when they are whole. */
  data?: (data: Buffer) => Buffer; object?: (object: Buffer) => Buffer; signature?: (signature: Buffer) => Buffer;
}>;

const presentAndVerified = 0x05;
const withCredential = 0x40;

export class Authenticator {
  readonly id = randomBytes(32);
  readonly origin: string;
  counter = 0;
  userHandle = '';
  readonly #private: KeyObject;
  readonly #cose: Buffer;

  /** `origin` is that of the page, whose host is the relying party. */
  constructor(origin: string) {
    this.origin = origin;
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#private = privateKey;
    const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
    // COSE_Key (RFC 9052 §7): EC2, ES256, P-256, x, y.
    this.#cose = map([[1, number(2)], [3, number(-7)], [-1, number(1)], [-2, bytes(Buffer.from(x, 'base64url'))], [-3, bytes(Buffer.from(y, 'base64url'))]]);
  }

  get credentialId(): string { return this.id.toString('base64url'); }

  /** `RegistrationResponseJSON` with an attestation of format `none`. */
  register(options: Options, lies: Lies = {}): object {
    this.userHandle = options.user?.id ?? '';
    const length = Buffer.alloc(2);
    length.writeUInt16BE(this.id.length);
    const whole = (made: Buffer): Buffer => made;
    const data = (lies.data ?? whole)(Buffer.concat([this.#data(options.rp?.id ?? '', withCredential, lies), Buffer.alloc(16), length, this.id, lies.cose ?? this.#cose]));
    const attestationObject = Buffer.concat([Buffer.from([0xa3]), text('fmt'), text(lies.format ?? 'none'), text('attStmt'), lies.statement ?? map([]), text('authData'), bytes(data)]);
    return this.#answer({ clientDataJSON: this.#clientData('webauthn.create', options, lies).toString('base64url'), attestationObject: (lies.object ?? whole)(attestationObject).toString('base64url'), transports: ['internal'] }, lies);
  }

  /** `AuthenticationResponseJSON`. */
  assert(options: Options, lies: Lies = {}): object {
    const authenticatorData = (lies.data ?? ((made) => made))(this.#data(options.rpId ?? '', 0, lies));
    const clientData = this.#clientData('webauthn.get', options, lies);
    const signature = sign('sha256', Buffer.concat([authenticatorData, createHash('sha256').update(clientData).digest()]), this.#private);
    return this.#answer({
      clientDataJSON: clientData.toString('base64url'), authenticatorData: authenticatorData.toString('base64url'), signature: (lies.signature ?? ((made) => made))(signature).toString('base64url'),
      userHandle: 'userHandle' in lies ? lies.userHandle : this.userHandle,
    }, lies);
  }

  #answer(response: object, { id = this.credentialId }: Lies): object {
    return { id, rawId: id, type: 'public-key', authenticatorAttachment: 'platform', clientExtensionResults: {}, response };
  }

  #clientData(type: string, { challenge }: Options, lies: Lies): Buffer {
    return Buffer.from(JSON.stringify({ type: lies.type ?? type, challenge: lies.challenge ?? challenge, origin: lies.origin ?? this.origin, crossOrigin: lies.crossOrigin ?? false, topOrigin: lies.topOrigin }));
  }

  #data(rpId: string, flags: number, lies: Lies): Buffer {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(lies.counter ?? (this.counter += 1));
    return Buffer.concat([createHash('sha256').update(lies.rpId ?? rpId).digest(), Buffer.from([(lies.flags ?? presentAndVerified) | flags]), counter]);
  }
}

/** The little of CBOR (RFC 8949) that is needed. */
const head = (major: number, value: number): Buffer => (value < 24 ? Buffer.from([major << 5 | value]) : value < 256 ? Buffer.from([major << 5 | 24, value]) : Buffer.from([major << 5 | 25, value >> 8, value & 255]));
export const number = (value: number): Buffer => (value >= 0 ? head(0, value) : head(1, -1 - value));
export const bytes = (value: Buffer): Buffer => Buffer.concat([head(2, value.length), value]);
const text = (value: string): Buffer => Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
export const map = (entries: readonly (readonly [number, Buffer])[]): Buffer => Buffer.concat([head(5, entries.length), ...entries.flatMap(([key, value]) => [number(key), value])]);
