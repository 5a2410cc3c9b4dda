/** Oneself: who one is here, the ways to sign in, and where one is signed in. */
import { useState } from 'react';
import { useCaller } from '../caller.ts';
import { problemInAddress, problemText } from '../sign-in/problems.ts';
import { Badge } from '../ui/badge.tsx';
import { Facts, Page, Section } from '../ui/page.tsx';
import { Notice } from '../ui/states.tsx';
import { Identities } from './identities.tsx';
import { Passkeys } from './passkeys.tsx';
import { Sessions } from './sessions.tsx';

export function AccountPage() {
  const { principal, role, permissions } = useCaller();
  const [problem] = useState(problemInAddress);
  const held = Object.keys(permissions).filter((name) => permissions[name] === true).toSorted();
  return (
    <Page title="Account">
      {problem !== null && <Notice className="mb-5">{problemText[problem]}</Notice>}
      <div className="grid items-start gap-5 lg:grid-cols-2">
        <Section title="You">
          <Facts rows={[['Name', principal ?? 'Not signed in'], ['Role', <Badge key="role" tone="accent" icon="people">{role}</Badge>]]} />
          <details className="mt-4 border-t border-line pt-3 text-sm">
            <summary className="font-medium">{held.length === 1 ? '1 permission' : `${held.length} permissions`}</summary>
            <ul className="mt-2.5 flex flex-wrap gap-1.5">
              {held.map((name) => <li key={name} className="rounded-lg bg-sunken px-2 py-0.5 font-mono text-xs">{name}</li>)}
            </ul>
          </details>
        </Section>
        {principal !== null && <><Passkeys /><Sessions /><Identities /></>}
      </div>
    </Page>
  );
}
