/** Challenges for authenticators: random, known by their hash only, each good once and for five minutes. */
import { hashOneTimeSecret, makeOneTimeSecret } from '@weir/security/one-time-secrets';
import { consumeOneTimeSecret, storeOneOfMany } from '@weir/data/once';
import { z } from 'zod';
import type { App } from '../app.ts';

export type ChallengePurpose = 'passkey-add' | 'passkey-sign-in' | 'passkey-step-up';
export const challengeLifeMs = 300_000;
/** Anyone may ask for one to sign in with; more than these do not wait. */
const mostWaiting = 10_000;

/** 32 random bytes in base64url; `subject` is the principal or session that it is for, empty where nobody is known yet. */
export async function newChallenge(app: App, purpose: ChallengePurpose, subject: string): Promise<string> {
  const now = app.clock();
  const challenge = makeOneTimeSecret();
  const row = { hash: hashOneTimeSecret(purpose, challenge), purpose, subject, facts: '{}', expires_at: now + challengeLifeMs };
  await app.data.write((tx) => storeOneOfMany(tx, row, mostWaiting, now));
  return challenge;
}

/** Uses up the challenge that client data (WebAuthn §5.8.1) speak of; undefined if it is not one of ours that waits for this. */
export async function useChallenge(app: App, purpose: ChallengePurpose, clientDataJson: string, subject: string): Promise<string | undefined> {
  const challenge = readChallenge(clientDataJson);
  if (challenge === undefined) return undefined;
  const used = await app.data.write((tx) => consumeOneTimeSecret(tx, hashOneTimeSecret(purpose, challenge), purpose, app.clock()));
  return used?.subject === subject ? challenge : undefined;
}

/** Our pages stand in no frame of another origin (`frame-ancestors`), so an answer from within one was not asked for by us (WebAuthn §7.1, §7.2). */
const ClientData = z.looseObject({ challenge: z.string().max(64), crossOrigin: z.literal(false).optional(), topOrigin: z.undefined().optional() });

function readChallenge(clientDataJson: string): string | undefined {
  try {
    return ClientData.parse(JSON.parse(Buffer.from(clientDataJson, 'base64url').toString('utf8'))).challenge;
  } catch {
    return undefined; // not client data: there is no challenge in it
  }
}
