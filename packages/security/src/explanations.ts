/** The clauses of a decision in sentences. They tell what the gatekeeper found; nothing is decided here. */
import type { AccessPolicy, Subject, TraceStep } from './rights.ts';

/** Why a clause held or failed, for whom it was asked. */
export function sentenceOf({ clause, held, policy, owner }: TraceStep, subject: Pick<Subject, 'principal' | 'role' | 'address' | 'effective'>): string {
  const name = subject.principal === undefined ? 'Nobody signed in' : subject.principal === '' ? `Somebody with the role ${subject.role}` : subject.principal;
  if (policy === undefined) return generalSentence(clause, held, name);
  switch (clause) {
    case 'window': return `It may be used ${windowOf(policy)}: ${held ? 'the time is within that' : 'the time is outside'}.`;
    case 'network': return `${subject.address} is ${held ? 'in' : 'outside'} the networks that it may be used from.`;
    case 'permission': return policy.requiredPermissions.length === 0 ? 'It needs no permission besides.'
      : `It needs ${policy.requiredPermissions.join(', ')}${held ? ', which are there' : `; ${policy.requiredPermissions.filter((permission) => !subject.effective.has(permission)).join(', ')} is missing`}.`;
    case 'public': return held ? 'Its level is public: everyone may read it.' : `Its level is ${policy.level}.`;
    case 'grant': return held ? 'A valid link to exactly this came with the request.' : 'No link to this came with the request.';
    case 'owner': return held ? `${name} owns it.` : `${name} does not own it; ${owner ?? 'another'} does.`;
    case 'authentication': return held ? `${name} is signed in.` : 'Whoever is not signed in gets no further.';
    case 'user': return `${name} is ${held ? '' : 'not '}among its ${policy.allowedUsers.size} listed users.`;
    case 'role': return `The role ${subject.role} is ${held ? '' : 'not '}among its ${policy.allowedRoles.size} listed roles.`;
    case 'protected': return held ? 'Its level is protected and nobody is listed: everyone who is signed in may read it.' : 'It is not open to everyone who is signed in.';
    case 'concurrency': return policy.maxConcurrentPerPrincipal === Infinity ? 'It may be opened any number of times at once.'
      : `It may be opened ${policy.maxConcurrentPerPrincipal} times at once by each: ${held ? 'there is room' : 'that is reached'}.`;
    default: return generalSentence(clause, held, name);
  }
}

const windowOf = ({ validFromMs: from, validUntilMs: until }: AccessPolicy): string => {
  const bounds: string[] = [];
  if (from > 0) bounds.push(`from ${new Date(from).toISOString()}`);
  if (until < Infinity) bounds.push(`until ${new Date(until).toISOString()}`);
  return bounds.length === 0 ? 'at any time' : bounds.join(' ');
};

/** What is said by the gate itself and not by a policy. */
function generalSentence(clause: string, held: boolean, name: string): string {
  if (clause.startsWith('permission ')) return `${name} ${held ? 'holds' : 'lacks'} the ${clause}.`;
  switch (clause) {
    case 'permission': return 'That permission is all that it takes.';
    case 'own': return `${name} owns the object, or acts on what is their own.`;
    case 'all': return `${name} reaches everybody’s objects.`;
    case 'leased': return `${name} holds the lease of the job.`;
    case 'absent': return 'There is no such object.';
    case 'owner': return held ? `${name} is the owner.` : 'It is somebody else’s; the answer is the same as if it were not there.';
    case 'authentication': return `${name} shows no evidence that is needed.`;
    case 'step-up': return 'It takes a proof of identity of the last ten minutes, which is taken as given here.';
    case 'audit unavailable': return 'The audit log can not be written, so nothing is given away now.';
    default: return held ? `Admitted: ${clause}.` : `Refused: ${clause}.`;
  }
}
