/** Where a provider sends the window back to that was opened to prove who uses Weir. */
import { useEffect, useState } from 'react';
import { problemInAddress, problemText } from '../sign-in/problems.ts';
import { Logo } from '../ui/logo.tsx';
import { Water } from '../ui/water.tsx';
import { tellProved } from './proved-elsewhere.ts';

export function SteppedUpPage() {
  const [problem] = useState(problemInAddress);
  useEffect(() => {
    document.title = 'Weir';
    tellProved(problem);
    if (problem === null) close();
  }, [problem]);
  return (
    <main className="grid min-h-dvh place-items-center px-4 py-10 text-center">
      <Water />
      <div className="relative max-w-[26rem]">
        <Logo className="mx-auto mb-4 size-14" />
        <h1 className="text-2xl font-semibold tracking-tight">{problem === null ? 'It is you' : 'That did not work'}</h1>
        <p className="mt-2 text-sm text-muted">{problem === null ? 'Close this window and go on where you were.' : `${problemText[problem]} Close this window and try again.`}</p>
      </div>
    </main>
  );
}
