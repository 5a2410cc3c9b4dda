import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { filterOf } from '../src/access/audit/audit-address.ts';
import { AuditAddress, PrincipalsAddress } from '../src/access/addresses.ts';
import { changeOf, draftOfPrincipal, errorsOf } from '../src/access/principals/principal-draft.ts';
import { questionOf } from '../src/access/simulator/question.ts';

const alice = { principal: 'alice', kind: 'user', role: 'user', permissions: ['view_audit'], networks: ['10.0.0.0/8'], disabled: false, max_skew_seconds: null, created_at: '2026-11-22T10:00:00.000Z' } as const;
const principal = { ...alice, permissions: [...alice.permissions], networks: [...alice.networks] };

test('a form that nobody touched changes nothing, and a touched one only what was touched', () => {
  const draft = draftOfPrincipal(principal);
  expect(changeOf(draft, principal)).toEqual({});
  expect(changeOf({ ...draft, role: 'viewer' }, principal)).toEqual({ role: 'viewer' });
  expect(changeOf({ ...draft, networks: '' }, principal)).toEqual({ networks: [] });
  expect(changeOf({ ...draft, permissions: 'view_audit  use_mcp,' }, principal)).toEqual({ permissions: ['view_audit', 'use_mcp'] });
  expect(changeOf({ ...draft, skew: '120' }, principal)).toEqual({ max_skew_seconds: 120 });
  expect(changeOf({ ...draft, skew: ' ' }, { ...principal, max_skew_seconds: 120 })).toEqual({ max_skew_seconds: null });
});

test('what is wrong in a form is said beside its field', () => {
  const draft = draftOfPrincipal(principal);
  const known = new Set(['view_audit', 'use_mcp']);
  expect(errorsOf(draft, known)).toEqual({});
  expect(Object.keys(errorsOf({ role: 'user', permissions: 'be_king', networks: '10.0.0.0/99', skew: '301' }, known))).toEqual(['permissions', 'networks', 'skew']);
  fc.assert(fc.property(fc.string(), (skew) => {
    const seconds = Number(skew);
    const isGood = skew.trim() === '' || (Number.isInteger(seconds) && seconds >= 1 && seconds <= 300);
    expect(errorsOf({ ...draft, skew }, known).skew === undefined).toBe(isGood);
  }));
});

test('what an address says badly is left out, and the page still opens', () => {
  expect(PrincipalsAddress.parse({ role: 7 })).toEqual({ role: '7' });
  expect(AuditAddress.parse({ decision: 'maybe', principal: 'a'.repeat(301), action: 'user.*' })).toEqual({ action: 'user.*' });
  fc.assert(fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (search) => { expect(() => AuditAddress.parse(search)).not.toThrow(); }));
});

test('a search asks only for what is filled, at moments of the reader’s own clock', () => {
  expect(filterOf({ principal: 'alice', action: '', from: '2026-11-22T10:00', to: 'soon' })).toEqual({ principal: 'alice', from: new Date('2026-11-22T10:00').toISOString() });
});

test('the gate is asked when it is said who and what, and never about two at once', () => {
  expect(questionOf({ principal: 'alice' })).toBeUndefined();
  expect(questionOf({ action: 'content.read' })).toBeUndefined();
  expect(questionOf({ principal: 'alice', role: 'viewer', action: 'content.read', at: 'then' })).toEqual({ role: 'viewer', action: 'content.read' });
});
