/** Which token a request brings, and from where: one at most, and only from the places that are allowed. */
import { expect, test } from 'vitest';
import { EvidenceRefused } from '../src/identity.ts';
import { presentedToken, type PresentedToken } from '../src/socket-evidence.ts';

type Request = Parameters<typeof presentedToken>[0];
const found = (request: Request, options: Parameters<typeof presentedToken>[1] = {}): PresentedToken | undefined | string => {
  try {
    return presentedToken(request, options);
  } catch (error) {
    if (error instanceof EvidenceRefused) return error.reason;
    throw error;
  }
};
const bearer = (token: string): Request => ({ headers: { authorization: `Bearer ${token}` } });

test('a token is taken from the header, whole', () => {
  expect(found(bearer('a.b-c_D'))).toEqual({ token: 'a.b-c_D', from: 'header' });
  expect(found({ headers: { authorization: 'bearer a' } })).toEqual({ token: 'a', from: 'header' });
  expect(found({ headers: {} })).toBeUndefined();
  for (const header of ['', 'a', 'Basic a', 'Bearer', 'Bearer ', 'Bearer a b', 'Bearer a b c', 'Bearer a=', 'Bearer ä', 'xBearer a', 'Bearer a,Bearer b', `Bearer ${'a'.repeat(8_193)}`]) {
    expect(found({ headers: { authorization: header } }), header).toBe('authorization header');
  }
  expect(found(bearer('a'.repeat(8_192)))).toMatchObject({ from: 'header' });
});

test('a cookie counts by its whole name, and only where one is configured', () => {
  const cookie = (text: string, cookieName: string | undefined = 'session') => found({ headers: { cookie: text } }, { cookieName });
  expect(cookie('a=b; session=x.y; c=d')).toEqual({ token: 'x.y', from: 'cookie' });
  expect(cookie('session=x')).toEqual({ token: 'x', from: 'cookie' });
  for (const other of ['xsession=x', 'sessions=x', 'a=session=x', 'session', '']) expect(cookie(other), other).toBeUndefined();
  expect(found({ headers: { cookie: 'session=x' } })).toBeUndefined();
  expect(found({ headers: {} }, { cookieName: 'session' })).toBeUndefined();
  expect(cookie('session=x; session=x'), 'twice').toBe('two tokens');
  const filler = 'f'.repeat(16_384 - 'session=x;'.length);
  expect(cookie(`session=x;${filler}`)).toMatchObject({ token: 'x' });
  expect(cookie(`session=x;${filler}f`)).toBe('cookie header');
});

test('a token in the address counts only where that was asked for, and only there', () => {
  const query = (url: string | undefined, allowQueryTokens = true) => found({ headers: {}, url }, { allowQueryTokens });
  expect(query('/live?a=b&token=x.y')).toEqual({ token: 'x.y', from: 'query' });
  expect(query('/live?token=x.y', false)).toBeUndefined();
  expect(found({ headers: {}, url: '/live?token=x' })).toBeUndefined();
  for (const none of ['/live', '/token=x', '/live?tokens=x', undefined]) expect(query(none), none).toBeUndefined();
  expect(query('/live?token=x&token=x')).toBe('two tokens');
});

test('two tokens are refused, equal or not, wherever they are', () => {
  const options = { cookieName: 'session', allowQueryTokens: true };
  expect(found({ headers: { authorization: 'Bearer x', cookie: 'session=x' } }, options)).toBe('two tokens');
  expect(found({ headers: { cookie: 'session=x' }, url: '/?token=x' }, options)).toBe('two tokens');
  expect(found({ headers: { authorization: 'Bearer x' }, url: '/?token=y' }, options)).toBe('two tokens');
});
