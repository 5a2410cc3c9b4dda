/** An error that the server reported, with its code, its status and what it said beside the message. */
import { errors, isErrorCode, type Facts } from '@weir/contracts/errors';
import { readText } from './read-text.ts';

const maxErrorBytes = 64 * 1024;

export class RemoteError extends Error {
  override name = 'RemoteError';
  readonly code: string;
  readonly status: number;
  readonly requestId: string | null;
  readonly facts: Facts;

  constructor(code: string, message: string, more: Readonly<{ status: number; requestId: string | null; facts: Facts }>) {
    super(message);
    this.code = code;
    this.status = more.status;
    this.requestId = more.requestId;
    this.facts = more.facts;
  }

  get exitCode(): number { return isErrorCode(this.code) ? errors[this.code].exit : 1; }
}

export async function remoteErrorFrom(response: Response): Promise<RemoteError> {
  return toRemoteError(response.status, await readText(response, maxErrorBytes));
}

/** Reads `{ "error": { code, message, request_id, … } }`. Any other body, such as a proxy's page, becomes a sentence about the status. */
export function toRemoteError(status: number, body: string): RemoteError {
  const { code, message, request_id: requestId, ...rest } = errorFields(body);
  if (typeof code !== 'string' || typeof message !== 'string') return withoutBody(status);
  return new RemoteError(code, message, { status, requestId: typeof requestId === 'string' ? requestId : null, facts: factsOf(rest) });
}

/** What comes from a proxy has no body of ours: the table's sentence for the status is all there is. */
function withoutBody(status: number): RemoteError {
  const code = codeByStatus[status] ?? 'internal';
  const message = codeByStatus[status] === undefined ? `The server answered ${status}; look at its log or at the proxy before it.` : errors[code].text;
  return new RemoteError(code, message, { status, requestId: null, facts: {} });
}

const codeByStatus: Readonly<Record<number, keyof typeof errors>> = {
  400: 'request.invalid', 401: 'identity.required', 403: 'policy.refused', 404: 'object.absent', 408: 'request.timeout', 409: 'request.conflict',
  413: 'request.too_large', 416: 'content.range', 421: 'request.host', 429: 'rate.exceeded', 502: 'server.unreachable', 503: 'server.stopping',
  507: 'storage.full',
};

function errorFields(body: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return {};    // not JSON: the status is all that is known
  }
  return isRecord(value) && isRecord(value['error']) ? value['error'] : {};
}

function factsOf(rest: Record<string, unknown>): Facts {
  return Object.fromEntries(Object.entries(rest).filter((entry): entry is [string, Facts[string]] => isFact(entry[1])));
}

const isFact = (value: unknown): value is Facts[string] =>
  value === null || ['string', 'number', 'boolean'].includes(typeof value)
  || (Array.isArray(value) && value.every((item) => typeof item === 'string'));

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
