/** Every refusal and failure that crosses a boundary. One table gives HTTP status, WebSocket close code, exit code and text. */

type ErrorShape = Readonly<{ status: number; close: number; exit: number; text: string }>;

export const errors = {
  'request.invalid': { status: 400, close: 4400, exit: 2, text: 'The request is not of the expected form.' },
  'request.too_large': { status: 413, close: 1009, exit: 2, text: 'The request is larger than this server accepts.' },
  'request.host': { status: 421, close: 4421, exit: 3, text: 'This server does not answer to that host name; add it to [server] allowed_hosts.' },
  'request.timeout': { status: 408, close: 4408, exit: 5, text: 'The request did not arrive in time; send it again.' },
  'request.conflict': { status: 409, close: 4409, exit: 1, text: 'The object is not in a state that allows this.' },
  'request.repeated': { status: 409, close: 4409, exit: 1, text: 'This Idempotency-Key was used for a different request; choose a new one.' },
  'identity.required': { status: 401, close: 4401, exit: 3, text: 'Sign in: a valid token, session or request signature is needed.' },
  'permission.refused': { status: 403, close: 4403, exit: 3, text: 'Your role does not allow this.' },
  'step_up.required': { status: 403, close: 4403, exit: 3, text: 'Prove again that it is you: in the web page by a passkey, your provider or a new sign-in link; a program signs the request with its own key.' },
  'sign_in.last_way': { status: 409, close: 4409, exit: 1, text: 'This is your last way to sign in by yourself; without it only a link from who runs this Weir lets you in. Repeat with last=true if you mean it.' },
  'policy.refused': { status: 403, close: 4403, exit: 3, text: 'You may not use this content.' },
  'grant.exceeds': { status: 403, close: 4403, exit: 3, text: 'A link can only be narrowed: it can not allow more than the one that it comes of.' },
  'origin.refused': { status: 403, close: 4403, exit: 3, text: 'Requests from this origin are not allowed; add it to [server.cors] allowed_origins.' },
  'rate.exceeded': { status: 429, close: 1008, exit: 3, text: 'Too many requests; wait as Retry-After says.' },
  'object.absent': { status: 404, close: 4404, exit: 4, text: 'There is nothing here under that name.' },
  'route.absent': { status: 404, close: 4404, exit: 4, text: 'There is no such address; see /api/v1/openapi.json.' },
  'method.refused': { status: 405, close: 4405, exit: 2, text: 'That method is not offered here.' },
  'content.id': { status: 400, close: 4400, exit: 2, text: 'Not a usable content id: a CID with a sha2-256 multihash is needed.' },
  'content.damaged': { status: 500, close: 4500, exit: 1, text: 'A stored part failed its check; it was not served.' },
  'content.range': { status: 416, close: 4416, exit: 2, text: 'The content is shorter than the range asked for.' },
  'content.incomplete': { status: 400, close: 4400, exit: 1, text: 'The upload ended before all its bytes arrived; nothing was stored.' },
  'frame.refused': { status: 400, close: 4400, exit: 1, text: 'A media frame failed its check and was dropped.' },
  'storage.full': { status: 507, close: 4507, exit: 1, text: 'The disk is full; nothing was stored. Free space in the data directory and try again.' },
  'storage.failed': { status: 500, close: 4500, exit: 1, text: 'The storage failed; see the server log.' },
  'arguments.refused': { status: 400, close: 4400, exit: 2, text: 'ffmpeg argument refused.' },
  'recipe.unknown': { status: 400, close: 4400, exit: 2, text: 'There is no such recipe; `weir recipe list` names them.' },
  'recipe.parameters': { status: 400, close: 4400, exit: 2, text: 'A parameter of the recipe is refused.' },
  'job.queue_full': { status: 429, close: 1008, exit: 3, text: 'You have too many unfinished jobs; wait for some to finish.' },
  'job.lease_lost': { status: 409, close: 4409, exit: 1, text: 'This attempt no longer holds the job; its result was refused.' },
  'job.failed': { status: 500, close: 4500, exit: 1, text: 'The job failed.' },
  'worker.name_taken': { status: 409, close: 4409, exit: 1, text: 'A worker of that name exists already; choose another with --name.' },
  'invite.invalid': { status: 401, close: 4401, exit: 3, text: 'The invitation is unknown, used or older than ten minutes; make a new one.' },
  'principal.exists': { status: 409, close: 4409, exit: 1, text: 'A principal of that name exists already.' },
  'principal.absent': { status: 404, close: 4404, exit: 4, text: 'There is no principal of that name.' },
  'principal.last_admin': { status: 409, close: 4409, exit: 1, text: 'This is the last principal that can manage users; make another one first.' },
  'key.not_held': { status: 409, close: 4409, exit: 1, text: 'Weir holds no key of this principal that could be shown: of an Ed25519 key it has the public half alone.' },
  'role.unknown': { status: 400, close: 4400, exit: 2, text: 'There is no such role.' },
  'role.exceeds': { status: 403, close: 4403, exit: 3, text: 'A token can only narrow: the role or permission asked for is more than the principal has.' },
  'audit.unavailable': { status: 503, close: 1013, exit: 1, text: 'The audit log can not be written, so privileged actions are refused.' },
  'audit.broken': { status: 500, close: 4500, exit: 1, text: 'The audit log was tampered with.' },
  'config.invalid': { status: 500, close: 1011, exit: 2, text: 'The configuration is refused.' },
  'data.locked': { status: 503, close: 1013, exit: 1, text: 'Another server uses this data directory.' },
  'data.newer': { status: 500, close: 1011, exit: 1, text: 'The data directory was written by a newer version of Weir; start that version.' },
  'keys.lost': { status: 500, close: 1011, exit: 1, text: 'The master key of this data directory is missing.' },
  'keys.wrong': { status: 500, close: 1011, exit: 1, text: 'A stored key does not open with the keys of the key ring.' },
  'file.permissions': { status: 500, close: 1011, exit: 2, text: 'A file with a secret can be read by others; run chmod 600 on it.' },
  'outbound.refused': { status: 403, close: 4403, exit: 3, text: 'This address may not be reached from here; a rule must name it, and its network if that is private.' },
  'outbound.failed': { status: 502, close: 1011, exit: 5, text: 'The other server did not answer as it should; see the message.' },
  'server.unreachable': { status: 502, close: 1011, exit: 5, text: 'The server does not answer.' },
  'server.unverified': { status: 502, close: 1011, exit: 5, text: 'The answer is not signed by the server that was asked: something between here and there answered in its place, or its key changed.' },
  'identity.clock': { status: 401, close: 4401, exit: 3, text: 'The signature is right, but not its time; set the clock of this machine right (server_time is the server’s).' },
  'server.port_used': { status: 500, close: 1011, exit: 1, text: 'The port is in use; choose another with --port.' },
  'server.stopping': { status: 503, close: 1012, exit: 5, text: 'The server is stopping; try again shortly.' },
  'system.missing': { status: 503, close: 1011, exit: 1, text: 'A program that this needs is not installed.' },
  'internal': { status: 500, close: 1011, exit: 1, text: 'Something failed that should not; the request id leads to it in the server log.' },
} as const satisfies Record<string, ErrorShape>;

export type ErrorCode = keyof typeof errors;

/** Plain values that a caller may see beside the message: the argument refused, the permission missing. Never a secret. */
export type Facts = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(errors, code);
}

/** The one error of the product. `detail` replaces the table's sentence and says the next step; `facts` travel beside it. */
export class WeirError extends Error {
  override name = 'WeirError';
  readonly code: ErrorCode;
  readonly facts: Facts;

  constructor(code: ErrorCode, detail?: string, options?: ErrorOptions & { facts?: Facts }) {
    super(detail ?? errors[code].text, options);
    this.code = code;
    this.facts = options?.facts ?? {};
  }

  get status(): number { return errors[this.code].status; }
  get closeCode(): number { return errors[this.code].close; }
  get exitCode(): number { return errors[this.code].exit; }
}
