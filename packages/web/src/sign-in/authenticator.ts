/** Asks the browser for a passkey, old or new. */
import { startAuthentication, startRegistration } from '@simplewebauthn/browser';
import { WeirError } from '@weir/contracts/errors';
import type { Assertion, AssertionOptions, CreationOptions, Registration } from '@weir/contracts/sign-in';
import type { output } from 'zod';

/** The proof of a passkey. Errors: `request.invalid` when there was none, or the person said no. */
export async function askAuthenticator(optionsJSON: output<typeof AssertionOptions>): Promise<Assertion> {
  const { id, rawId, type, response } = await startAuthentication({ optionsJSON })
    .catch((cause: unknown) => { throw new WeirError('request.invalid', 'No passkey was used. Try again, or take another way.', { cause }); });
  return { id, rawId, type, response, clientExtensionResults: {} };
}

/** A new passkey. Errors: `request.invalid`, `request.conflict` when this device has one already. */
export async function askForNewPasskey(optionsJSON: output<typeof CreationOptions>): Promise<Registration> {
  const { id, rawId, type, response } = await startRegistration({ optionsJSON }).catch((cause: unknown) => {
    if (cause instanceof Error && cause.name === 'InvalidStateError') throw new WeirError('request.conflict', 'This device has a passkey for you already.', { cause });
    throw new WeirError('request.invalid', 'No passkey was made. Try again with a device that asks for a PIN, a finger or a face.', { cause });
  });
  return { id, rawId, type, response, clientExtensionResults: {} };
}
