/** The pages of the Access area, and who sees something in which. */
import type { LinkProps } from '@tanstack/react-router';
import { useCaller, useMay, type Caller } from '../caller.ts';

type May = (permission: string) => boolean;
export type AccessTab = Readonly<{ to: NonNullable<LinkProps['to']>; label: string; isFor: (may: May, caller: Caller) => boolean }>;

const tabs: readonly AccessTab[] = [
  { to: '/access/principals', label: 'Principals', isFor: (may) => may('manage_users') },
  { to: '/access/roles', label: 'Roles', isFor: (may) => may('manage_users') },
  { to: '/access/tokens', label: 'Tokens', isFor: (_, { principal }) => principal !== null },
  { to: '/access/grants', label: 'Grants', isFor: (may, { principal }) => principal !== null && may('share_content') },
  { to: '/access/sessions', label: 'Sessions', isFor: (may, { principal }) => principal !== null && may('use_account') },
  { to: '/access/networks', label: 'Networks', isFor: (may) => may('manage_server') && may('manage_users') },
  { to: '/access/simulator', label: 'Simulator', isFor: (may, { principal }) => may('manage_users') || (principal !== null && may('manage_policies')) },
  { to: '/access/audit', label: 'Audit', isFor: (may) => may('view_audit') },
  { to: '/access/keys', label: 'Keys', isFor: (may) => may('manage_users') },
];

/** Those that the caller sees something in. */
export function useAccessTabs(): readonly AccessTab[] {
  const [may, caller] = [useMay(), useCaller()];
  return tabs.filter(({ isFor }) => isFor(may, caller));
}
