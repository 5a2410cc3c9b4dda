/** Proving again who uses a session, for what asks for a fresh proof. */
import { WeirError } from '@weir/contracts/errors';
import { AssertionOptions, StepUp } from '@weir/contracts/sign-in';
import { stepUpSession, useSignInSecret } from '@weir/data/security-stores/login-sessions';
import { usePasskey } from '@weir/data/security-stores/passkeys';
import { EvidenceRefused } from '@weir/security/identity';
import type { z } from 'zod';
import { changeEntry } from '../audit-trail.ts';
import { route, type Context } from '../route.ts';
import { countingRefusals } from '../serve-route.ts';
import { assertionOptions, verifyAssertion } from '../sign-in/passkeys.ts';
import { requireSession } from '../sign-in/require-session.ts';

type Proving = Context<unknown, unknown, z.output<typeof StepUp>>;

export const routes = [
  route({
    method: 'POST', path: '/auth/step-up/challenge', action: 'login_session.prove', reply: AssertionOptions, resource: () => ({ kind: 'own' }),
    summary: 'What to ask an authenticator for, to prove a passkey of yours again',
  }, async ({ app, admission, incoming, principal }) => assertionOptions(app, incoming, 'passkey-step-up', { subject: requireSession(admission), principal })),

  route({
    method: 'POST', path: '/auth/step-up', action: 'login_session.prove', body: StepUp, resource: () => ({ kind: 'own' }),
    summary: 'Prove by a passkey or a new sign-in link who uses this session; it counts for ten minutes',
  }, async (context) => {
    const { app, admission, address, requestId } = context;
    try {
      await countingRefusals(app, { action: admission.action, address, requestId }, () => prove(context));
    } catch (error) {
      if (!(error instanceof WeirError) || error.code !== 'identity.required') throw error;
      // The session itself is good, so this is no 401.
      throw new WeirError('step_up.required', 'That did not prove that it is you: use a passkey of yours, or a new sign-in link made for you.', { cause: error });
    }
    await app.gatekeeper.epochs.refresh();
  }),
];

async function prove({ app, admission, incoming, principal, body, requestId }: Proving): Promise<void> {
  const session = requireSession(admission);
  const asserted = body.method === 'passkey' ? await verifyAssertion(app, incoming, 'passkey-step-up', session, body.assertion) : undefined;
  if (asserted !== undefined && asserted.passkey.principal !== principal) throw new EvidenceRefused('passkey of another', principal);
  const proved = await app.data.write(async (tx) => {
    const now = app.clock();
    const isGood = body.method === 'link' ? await useSignInSecret(tx, body.secret, now) === principal
      : asserted !== undefined && await usePasskey(tx, asserted.passkey.id, asserted.counter, now);
    if (!isGood) return false;
    await stepUpSession(tx, { id: session, principal }, now);
    await app.audit.record(tx, changeEntry(admission, `session:${session}`, requestId, `stepped up by ${body.method}`));
    return true;
  });
  if (!proved) throw new EvidenceRefused(`step-up by ${body.method}`, principal);
}
