/** Says on every page that nobody has to sign in here although strangers could do harm. */
import { useCaller } from '../caller.ts';

export function OpenHouse() {
  const { principal, role, permissions } = useCaller();
  if (principal !== null || permissions['manage_users'] !== true) return null;
  return (
    <p role="alert" className="border-b border-danger/40 bg-danger-soft px-4 py-2 text-center text-sm font-medium text-danger">
      Nobody signs in here: everyone who reaches this address acts as {role}. Before others can reach it, set <code>default_role = "none"</code> under <code>[permissions]</code>.
    </p>
  );
}
