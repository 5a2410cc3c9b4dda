/** How a part of an argument list is refused: parsers name the reason, the list's reader adds which argument it was. */
import { WeirError } from '@weir/contracts/errors';

/** Thrown by the parsers of values, which don't know where in the list they are. Never leaves `vetArguments`. */
export class ValueRefused extends Error {
  override name = 'ValueRefused';
}

export function refuseValue(reason: string): never {
  throw new ValueRefused(reason);
}

/** The error that a client sees: `facts.argument` is the 0-based index in its own list. */
export function argumentRefused(argument: number, text: string | undefined, reason: string): WeirError {
  const shown = text === undefined ? 'the end of the list' : `"${printable(text)}"`;
  return new WeirError('arguments.refused', `Argument ${argument} (${shown}) is refused: ${reason}`, { facts: { argument, reason } });
}

/** Runs a parser of one value and gives its refusal the place in the list. */
export function atArgument<T>(argument: number, text: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof ValueRefused) throw argumentRefused(argument, text, error.message);
    throw error;
  }
}

/** Client text as it may stand in a message: short, one line. */
export function printable(text: string): string {
  const clean = text.replace(/[\p{Cc}\p{Cf}]/gu, '?');
  return clean.length > 60 ? `${clean.slice(0, 60)}…` : clean;
}
