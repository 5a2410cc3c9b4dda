/** The instance's signing keys, for those who manage users. */
import { KeyRotated, SigningKeys, type KeyRotation } from '@weir/contracts/keys';
import type { input } from 'zod';
import { call, type CallOptions, type Client } from './client.ts';

export const list = (client: Client, options: CallOptions = {}) => call(client, { path: '/api/v1/keys', reply: SigningKeys, ...options });

/** With `compromised` everything that older keys of the purpose signed ends within a second. */
export const rotate = (client: Client, request: input<typeof KeyRotation>, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: '/api/v1/keys/rotate', json: request, reply: KeyRotated, ...options });
