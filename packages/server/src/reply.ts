/** The answer to one request: the headers that are said so far, and how it is sent. */
import type { ServerResponse } from 'node:http';

/** Headers that sign an answer of this status, content type and body. */
export type AnswerSigner = (status: number, contentType: string | undefined, body: string | Buffer | undefined) => Readonly<Record<string, string>>;

export const jsonType = 'application/json; charset=utf-8';

export class Reply {
  readonly raw: ServerResponse;
  readonly requestId: string;
  /** Names and values in turns, as `writeHead` takes them without another copy. */
  readonly #headers: string[];
  #signer: AnswerSigner | undefined;

  /** `common`: what every answer says, names and values in turns. */
  constructor(raw: ServerResponse, common: readonly string[], requestId: string) {
    this.raw = raw;
    this.requestId = requestId;
    this.#headers = [...common, 'x-request-id', requestId];
  }

  /** Says a header, by its name in lower case, in the place of what was said under that name before. */
  header(name: string, value: string): this {
    const headers = this.#headers;
    let at = 0;
    while (at < headers.length && headers[at] !== name) at += 2;
    headers[at] = name;
    headers[at + 1] = value;
    return this;
  }

  headers(said: Readonly<Record<string, string>>): this {
    for (const name in said) if (Object.hasOwn(said, name)) this.header(name, said[name] ?? '');
    return this;
  }

  /** Says a cookie, beside others. */
  cookie(value: string): this {
    this.#headers.push('set-cookie', value);
    return this;
  }

  /** Sends the browser on (RFC 9110 §15.4.4). */
  redirect(location: string): void {
    this.header('location', location).send(303);
  }

  /** Signs what is sent whole from now on. */
  signWith(signer: AnswerSigner): void {
    this.#signer = signer;
  }

  #sign(signer: AnswerSigner, status: number, body: string | Buffer | undefined): void {
    const at = this.#headers.findIndex((name, index) => index % 2 === 0 && name === 'content-type');
    this.headers(signer(status, at === -1 ? undefined : this.#headers[at + 1], body));
  }

  /** Sends the whole answer, unless the caller has gone. A string goes out with the head in one write; its length in bytes may be known beforehand. */
  send(status: number, body?: string | Buffer, length = body === undefined ? 0 : Buffer.byteLength(body)): void {
    if (this.raw.destroyed) return;
    if (body !== undefined) this.header('content-length', String(length));
    if (this.#signer !== undefined) this.#sign(this.#signer, status, body);
    this.raw.writeHead(status, this.#headers);
    // Text of as many bytes as characters is ASCII, which needs no conversion.
    if (typeof body === 'string') this.raw.end(body, length === body.length ? 'latin1' : 'utf8');
    else this.raw.end(body);
  }

  /** A string that is JSON already. */
  sendJson(status: number, text: string, length?: number): void {
    this.header('content-type', jsonType).send(status, text, length);
  }

  /** The response with all that was said set on it, for handlers that write by themselves: they end it, also when they fail. */
  stream(): ServerResponse {
    for (let at = 0; at + 1 < this.#headers.length; at += 2) this.raw.setHeader(this.#headers[at] ?? '', this.#headers[at + 1] ?? '');
    // Who goes away while something is written is noticed by the writer, which waits for each write or for the signal.
    this.raw.on('error', () => undefined);
    return this.raw;
  }
}
