/** Replies as the contracts promise them. */
import { WeirError } from '@weir/contracts/errors';

/** Anything that checks an unknown value and returns it typed; the contracts' schemas do. */
export type Shape<T> = Readonly<{ parse: (value: unknown) => T }>;

/** Reads text as JSON of the given shape; anything else is the server's fault and says so. */
export function parseReply<T>(shape: Shape<T>, text: string): T {
  try {
    return shape.parse(JSON.parse(text));
  } catch (cause) {
    throw new WeirError('internal', 'The server sent a reply that this version does not understand; use the client that came with the server.', { cause });
  }
}
