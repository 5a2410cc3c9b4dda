/** What the server tells its own worker process: one line of JSON on standard input. */
import { z } from 'zod';
import { PrincipalId } from '@weir/contracts/identity';

/** `key` is the worker's HMAC key, 32 bytes in base64; it is in no argument and no environment. `scratch` belongs to this worker alone. */
export const ChildSettings = z.strictObject({
  server: z.url(), name: PrincipalId, key: z.base64().length(44), fingerprint: z.string().regex(/^[0-9a-f]{64}$/).optional(),
  slots: z.int().min(1).max(64), scratch: z.string().min(1).max(4_096),
});
export type ChildSettings = z.infer<typeof ChildSettings>;
