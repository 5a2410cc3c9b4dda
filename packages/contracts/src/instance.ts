/** A server as it presents itself: its name, and the keys that its answers and assignments are signed with. */
import { z } from 'zod';
import { InstanceKey } from './workers.ts';

export const InstanceDocument = z.strictObject({ instance: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/), keys: z.array(InstanceKey).max(16) });
export type InstanceDocument = z.infer<typeof InstanceDocument>;
/** Where every server has it. */
export const instancePath = '/.well-known/weir-instance';

/** What a refusal for the time of a signature says beside its message: the server's clock, RFC 3339. Only who signed rightly gets it. */
export const serverTimeFact = 'server_time';
