/** How a failure is told: one block on standard error, and the exit code of the error table. */
import { errors, WeirError } from '@weir/contracts/errors';
import { printable } from './terminal/printable.ts';

export const exitCodes = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** Thrown to end with an exit code when everything was said already. */
export class Finished extends Error {
  override name = 'Finished';
  readonly exitCode: number;

  constructor(exitCode: number) {
    super('');
    this.exitCode = exitCode;
  }
}

/** The text for standard error; with `WEIR_DEBUG=1` also where it came from. */
export function failureText(error: unknown, environment: Readonly<Record<string, string | undefined>>): string {
  if (error instanceof Finished) return '';
  if (isInterruption(error)) return 'weir: interrupted';
  const lines = [`weir: ${printable(sentence(error), 4_000)}`, ...certificateLines(error), ...factLines(error)];
  if (environment['WEIR_DEBUG'] === '1' && error instanceof Error) lines.push(...stacks(error));
  return lines.join('\n');
}

/** 0 done, 1 failed, 2 usage, 3 refused, 4 not found, 5 unreachable, 130 interrupted. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof Finished) return error.exitCode;
  if (isInterruption(error)) return exitCodes.interrupted;
  if (error instanceof Error && 'exitCode' in error && typeof error.exitCode === 'number') return error.exitCode;
  return exitCodes.failed;
}

const isInterruption = (error: unknown): boolean => error instanceof Error && error.name === 'AbortError';

function sentence(error: unknown): string {
  if (error instanceof WeirError || (error instanceof Error && error.name === 'RemoteError')) return error.message;
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return systemSentence(error.code, error);
  return `${errors.internal.text} (${error instanceof Error ? error.message : String(error)}; WEIR_DEBUG=1 shows where)`;
}

function systemSentence(code: string, error: Error): string {
  const path = 'path' in error && typeof error.path === 'string' ? error.path : undefined;
  if (path !== undefined && code === 'ENOENT') return `There is no file ${path}.`;
  if (path !== undefined && (code === 'EACCES' || code === 'EPERM')) return `You may not use ${path}; look at its owner and mode with: ls -ld ${path}`;
  if (path !== undefined && code === 'EISDIR') return `${path} is a folder; name a file.`;
  if (code === 'ENOSPC') return 'The disk is full; free some space and try again.';
  return error.message;
}

const certificateCodes: ReadonlySet<unknown> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'CERT_HAS_EXPIRED', 'ERR_TLS_CERT_ALTNAME_INVALID',
]);

/** A server that is there, but not trusted, is told apart from one that is not there. */
function certificateLines(error: unknown): string[] {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && certificateCodes.has(at.code)) return [`      Its certificate is not trusted (${String(at.code)}). Name the authority to trust with --ca FILE or WEIR_CA.`];
  }
  return [];
}

function factLines(error: unknown): string[] {
  const requestId: unknown = error instanceof Error && 'requestId' in error ? error.requestId : undefined;
  return typeof requestId === 'string' && 'status' in Object(error) && Number(Reflect.get(Object(error), 'status')) >= 500 ? [`      request ${printable(requestId, 64)}`] : [];
}

function stacks(error: Error): string[] {
  const cause = error.cause instanceof Error ? ['caused by:', ...stacks(error.cause)] : [];
  return [error.stack ?? error.message, ...cause];
}
