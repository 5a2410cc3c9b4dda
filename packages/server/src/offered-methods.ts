/** Which methods an address is offered with: a wrong one is answered 405 with `Allow` (RFC 9110 §15.5.6), not as if nothing were there. */
import type { AnyRoute } from './route.ts';

export type OfferedMethods = (target: string) => readonly string[];

/** Answers for a path without query; empty where no route has it. Addresses are public, so this says nothing about objects. */
export function offeredMethods(routes: readonly AnyRoute[]): OfferedMethods {
  const patterns = routes.map(({ declaration: { method, path } }) => ({ method, pattern: new RegExp(`^${path.replaceAll('.', '\\.').replace(/:\w+/g, '[^/]+')}$`) }));
  return (target) => [...new Set(patterns.filter(({ pattern }) => pattern.test(target)).map(({ method }) => method))];
}
