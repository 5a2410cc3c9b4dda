/** Bearer tokens for programs. A token only narrows what its principal may do. */
import { page, Token, TokenReply, type TokenRequest } from '@weir/contracts/identity';
import { z, type input } from 'zod';
import { call, command, path, type CallOptions, type Client, type ListOptions } from './client.ts';

const Tokens = page(Token);
const Revoked = z.object({ revoked: z.number() });

export const issue = (client: Client, request: input<typeof TokenRequest>, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: '/api/v1/tokens', json: request, reply: TokenReply, ...options });

export const revoke = (client: Client, jti: string, options: CallOptions = {}) =>
  command(client, { method: 'DELETE', path: path`/api/v1/tokens/${jti}`, ...options });

/** One's own, newest first; those of another `owner` for who may see all objects. */
export const list = (client: Client, { owner, cursor, limit, signal }: ListOptions & Readonly<{ owner?: string | undefined }> = {}) =>
  call(client, { path: '/api/v1/tokens', query: { owner, cursor, limit }, reply: Tokens, signal });

/** All that still hold; sessions stay. */
export const revokeAll = (client: Client, { owner, signal }: CallOptions & Readonly<{ owner?: string | undefined }> = {}) =>
  call(client, { method: 'DELETE', path: '/api/v1/tokens', query: { owner }, reply: Revoked, signal });
