/** Bearer tokens for programs. A token only narrows what its principal may do. */
import { TokenReply, type TokenRequest } from '@weir/contracts/identity';
import type { input } from 'zod';
import { call, command, path, type CallOptions, type Client } from './client.ts';

export const issue = (client: Client, request: input<typeof TokenRequest>, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: '/api/v1/tokens', json: request, reply: TokenReply, ...options });

export const revoke = (client: Client, jti: string, options: CallOptions = {}) =>
  command(client, { method: 'DELETE', path: path`/api/v1/tokens/${jti}`, ...options });
