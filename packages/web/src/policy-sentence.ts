/** What a policy means, in words. */
import type { Policy } from '@weir/contracts/policies';
import { formatInstant, joinWords } from './format.ts';

/** One or two sentences for the owner, who is called "you" when `ownerIsCaller`. */
export function policySentence(policy: Policy | null, owner: string, ownerIsCaller: boolean): string {
  const ownerName = ownerIsCaller ? 'you' : owner;
  if (policy === null) return `Only ${ownerName} can use this, and whoever holds a link.`;
  const sentence = `${capitalised(whoMay(policy, ownerName))} can use this${conditions(policy)}.`;
  return [sentence, atOnce(policy), sealed(policy)].filter((part) => part !== '').join(' ');
}

function whoMay(policy: Policy, owner: string): string {
  if (policy.level === 'public') return 'anyone who has the address, signed in or not,';
  const named = [...policy.allowed_users, ...policy.allowed_roles.map((role) => `everyone with the role ${role}`)];
  const skills = policy.required_permissions.length === 0 ? '' : ` who may ${joinWords(policy.required_permissions)}`;
  if (policy.level === 'protected' && named.length === 0) return `everyone who is signed in${skills}`;
  if (named.length === 0) return `only ${owner}, and whoever holds a link,`;
  return `${joinWords([owner, ...named])}${skills === '' ? '' : `, of those${skills}`}, and whoever holds a link,`;
}

function conditions(policy: Policy): string {
  const { networks, valid_from: from, valid_until: until } = policy;
  return [
    networks.length === 0 ? '' : ` from ${joinWords(networks)}`,
    from === undefined ? '' : ` from ${formatInstant(from)} on`,
    until === undefined ? '' : ` until ${formatInstant(until)}`,
  ].join('');
}

function atOnce({ max_concurrent_per_principal: limit }: Policy): string {
  if (limit === undefined) return '';
  return limit === 1 ? 'Each of them on one player at a time.' : `Each of them on at most ${limit} players at a time.`;
}

const sealed = ({ level }: Policy): string => (level === 'encrypted' ? 'It is always encrypted on disk.' : '');

const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
