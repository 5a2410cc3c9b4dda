/** Every clause of a decision in words: whoever asks why must be able to act on the answer, so the words are the product. */
import { expect, test } from 'vitest';
import { sentenceOf } from '../src/explanations.ts';
import { ownerOnly, type AccessPolicy, type TraceStep } from '../src/rights.ts';

const policy: AccessPolicy = {
  ...ownerOnly, level: 'protected', allowedUsers: new Set(['ben', 'cleo']), allowedRoles: new Set(['user', 'viewer', 'operator']), requiredPermissions: ['read_content', 'view_streams', 'use_mcp'],
  validFromMs: Date.UTC(2026, 0, 1), validUntilMs: Date.UTC(2026, 1, 1), maxConcurrentPerPrincipal: 2,
};
const ann = { principal: 'ann', role: 'viewer', address: '192.0.2.7', effective: new Set(['view_streams']) };
const says = (step: TraceStep, subject: Parameters<typeof sentenceOf>[1] = ann): string => sentenceOf(step, subject);

/** The clause of a policy, what is said when it holds, and when it does not. */
test.each<[string, Partial<TraceStep>, string, string]>([
  ['window', { policy }, 'It may be used from 2026-01-01T00:00:00.000Z until 2026-02-01T00:00:00.000Z: the time is within that.', 'It may be used from 2026-01-01T00:00:00.000Z until 2026-02-01T00:00:00.000Z: the time is outside.'],
  ['window', { policy: { ...policy, validFromMs: 0 } }, 'It may be used until 2026-02-01T00:00:00.000Z: the time is within that.', 'It may be used until 2026-02-01T00:00:00.000Z: the time is outside.'],
  ['window', { policy: { ...policy, validUntilMs: Infinity } }, 'It may be used from 2026-01-01T00:00:00.000Z: the time is within that.', 'It may be used from 2026-01-01T00:00:00.000Z: the time is outside.'],
  ['window', { policy: ownerOnly }, 'It may be used at any time: the time is within that.', 'It may be used at any time: the time is outside.'],
  ['network', { policy }, '192.0.2.7 is in the networks that it may be used from.', '192.0.2.7 is outside the networks that it may be used from.'],
  ['permission', { policy }, 'It needs read_content, view_streams, use_mcp, which are there.', 'It needs read_content, view_streams, use_mcp; read_content, use_mcp is missing.'],
  ['permission', { policy: ownerOnly }, 'It needs no permission besides.', 'It needs no permission besides.'],
  ['public', { policy }, 'Its level is public: everyone may read it.', 'Its level is protected.'],
  ['grant', { policy }, 'A valid link to exactly this came with the request.', 'No link to this came with the request.'],
  ['owner', { policy, owner: 'ben' }, 'ann owns it.', 'ann does not own it; ben does.'],
  ['owner', { policy }, 'ann owns it.', 'ann does not own it; another does.'],
  ['authentication', { policy }, 'ann is signed in.', 'Whoever is not signed in gets no further.'],
  ['user', { policy }, 'ann is among its 2 listed users.', 'ann is not among its 2 listed users.'],
  ['role', { policy }, 'The role viewer is among its 3 listed roles.', 'The role viewer is not among its 3 listed roles.'],
  ['protected', { policy }, 'Its level is protected and nobody is listed: everyone who is signed in may read it.', 'It is not open to everyone who is signed in.'],
  ['concurrency', { policy }, 'It may be opened 2 times at once by each: there is room.', 'It may be opened 2 times at once by each: that is reached.'],
  ['concurrency', { policy: ownerOnly }, 'It may be opened any number of times at once.', 'It may be opened any number of times at once.'],
  ['who', { policy }, 'Admitted: who.', 'Refused: who.'],
])('a policy’s %s, %o', (clause, more, held, failed) => {
  expect([says({ clause, held: true, ...more }), says({ clause, held: false, ...more })]).toEqual([held, failed]);
});

/** What the gate itself looks at. */
test.each<[string, string, string]>([
  ['permission read_content', 'ann holds the permission read_content.', 'ann lacks the permission read_content.'],
  ['permission', 'That permission is all that it takes.', 'That permission is all that it takes.'],
  ['own', 'ann owns the object, or acts on what is their own.', 'ann owns the object, or acts on what is their own.'],
  ['all', 'ann reaches everybody’s objects.', 'ann reaches everybody’s objects.'],
  ['leased', 'ann holds the lease of the job.', 'ann holds the lease of the job.'],
  ['absent', 'There is no such object.', 'There is no such object.'],
  ['owner', 'ann is the owner.', 'It is somebody else’s; the answer is the same as if it were not there.'],
  ['authentication', 'ann shows no evidence that is needed.', 'ann shows no evidence that is needed.'],
  ['step-up', 'It takes a proof of identity of the last ten minutes, which is taken as given here.', 'It takes a proof of identity of the last ten minutes, which is taken as given here.'],
  ['audit unavailable', 'The audit log can not be written, so nothing is given away now.', 'The audit log can not be written, so nothing is given away now.'],
  ['lease', 'Admitted: lease.', 'Refused: lease.'],
])('the gate’s %s', (clause, held, failed) => {
  expect([says({ clause, held: true }), says({ clause, held: false })]).toEqual([held, failed]);
});

test('somebody who is asked about is named by id, by role, or as nobody', () => {
  const names = ['ann', '', undefined].map((principal) => says({ clause: 'all', held: true }, { ...ann, principal }));
  expect(names).toEqual(['ann reaches everybody’s objects.', 'Somebody with the role viewer reaches everybody’s objects.', 'Nobody signed in reaches everybody’s objects.']);
});
