/** What a token under a secret that several programs share may carry: never the role `admin`, never a right that manages. */
import type { TokenKey, TokenKeys } from './token-keys.ts';

/** `keys`, as they change, and one more. */
export const withKey = (keys: TokenKeys, more: TokenKey | undefined): TokenKeys => (more === undefined ? keys : {
  get: (id) => (id === more.id ? more : keys.get(id)),
  has: (id) => id === more.id || keys.has(id),
});

const isManaging = (permission: string): boolean => permission.startsWith('manage_');

/** Whether a shared secret may speak for these: whoever knows the secret could write any of them into a token. */
export const sharedSecretMayCarry = (role: string | undefined, permissions: readonly string[] | undefined): boolean =>
  role !== 'admin' && permissions?.some(isManaging) !== true;

/** What of a principal's rights a shared secret can speak with. */
export const sharedSecretRights = (effective: ReadonlySet<string>): ReadonlySet<string> => new Set([...effective].filter((permission) => !isManaging(permission)));
