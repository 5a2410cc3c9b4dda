import { expect, test } from 'vitest';
import { allRoutes } from '../src/http-server.ts';
import { offeredMethods } from '../src/offered-methods.ts';

const methodsOf = offeredMethods(allRoutes);

test('an address names all its methods, also where a part of it stands for a name', () => {
  expect(methodsOf('/api/v1/content/bafkreia')).toEqual(['GET', 'HEAD', 'DELETE']);
  expect(methodsOf('/api/v1/jobs')).toEqual(['POST', 'GET']);
  expect(methodsOf('/.well-known/jwks.json')).toEqual(['GET']);
});

test('an address that no route has is offered with none', () => {
  for (const target of ['/', '/api/v1', '/api/v1/content/', '/api/v1/content/a/b', '/x.well-known/jwks.json', '/awell-known/jwks.json']) expect(methodsOf(target)).toEqual([]);
});
