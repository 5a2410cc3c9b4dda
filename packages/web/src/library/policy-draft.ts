/** A policy as it is being edited: texts of a form, and the way there and back. */
import { Policy, type PolicyLevel } from '@weir/contracts/policies';
import { wordsOf } from '../words.ts';

export type PolicyDraft = Readonly<{
  level: PolicyLevel;
  /** Names separated by commas or spaces. */
  users: string;
  roles: string;
  permissions: string;
  networks: string;
  /** As `<input type="datetime-local">` writes it, in the time zone of the browser; empty for none. */
  from: string;
  until: string;
  concurrent: string;
}>;

export type DraftErrors = Readonly<Partial<Record<keyof PolicyDraft, string>>>;

/** Without a policy the draft is private with empty lists, which means the same. */
export function draftOf(policy: Policy | null): PolicyDraft {
  return {
    level: policy?.level ?? 'private',
    users: (policy?.allowed_users ?? []).join(', '),
    roles: (policy?.allowed_roles ?? []).join(', '),
    permissions: (policy?.required_permissions ?? []).join(', '),
    networks: (policy?.networks ?? []).join(', '),
    from: toLocal(policy?.valid_from),
    until: toLocal(policy?.valid_until),
    concurrent: String(policy?.max_concurrent_per_principal ?? ''),
  };
}

/** The policy of a draft, or what is wrong with which field. */
export function policyOf(draft: PolicyDraft): Readonly<{ policy: Policy } | { errors: DraftErrors }> {
  const read = Policy.safeParse({
    level: draft.level,
    allowed_users: wordsOf(draft.users),
    allowed_roles: wordsOf(draft.roles),
    required_permissions: wordsOf(draft.permissions),
    networks: wordsOf(draft.networks),
    ...(draft.from === '' ? {} : { valid_from: toInstant(draft.from) }),
    ...(draft.until === '' ? {} : { valid_until: toInstant(draft.until) }),
    ...(draft.concurrent.trim() === '' ? {} : { max_concurrent_per_principal: Number(draft.concurrent) }),
  });
  if (!read.success) return { errors: Object.fromEntries(read.error.issues.map(({ path }) => wrong(String(path[0])))) };
  const { valid_from: from, valid_until: until } = read.data;
  if (from !== undefined && until !== undefined && from >= until) return { errors: { until: 'The end comes before the beginning.' } };
  return { policy: read.data };
}

function wrong(name: string): readonly [keyof PolicyDraft, string] {
  switch (name) {
    case 'allowed_users': return ['users', 'Names are made of a-z, 0-9, dot, dash and underscore.'];
    case 'allowed_roles': return ['roles', 'Roles are made of a-z, 0-9, dash and underscore.'];
    case 'required_permissions': return ['permissions', 'Permissions look like read_content.'];
    case 'networks': return ['networks', 'Write networks as 192.0.2.0/24, 2001:db8::/32 or a single address.'];
    case 'valid_from': return ['from', 'This is not a moment.'];
    case 'valid_until': return ['until', 'This is not a moment.'];
    case 'max_concurrent_per_principal': return ['concurrent', 'Choose a whole number from 1 to 1000, or leave it empty.'];
    default: return ['level', 'Choose who may use it.'];
  }
}

/** A text that is no moment stays as it is, and the schema refuses it. */
function toInstant(local: string): string {
  const date = new Date(local);
  return Number.isNaN(date.getTime()) ? local : date.toISOString();
}

function toLocal(instant: string | undefined): string {
  if (instant === undefined) return '';
  const date = new Date(instant);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
