/** What the server is and how it is: its version, its fleet, its warnings, the caller's counts. */
import { Status as StatusShape } from '@weir/contracts/status';
import type { output } from 'zod';
import { call, type CallOptions, type Client } from './client.ts';

export type Status = output<typeof StatusShape>;

export const get = (client: Client, options: CallOptions = {}) => call(client, { path: '/api/v1/status', reply: StatusShape, ...options });
