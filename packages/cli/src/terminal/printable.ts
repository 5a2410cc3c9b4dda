/** Text from elsewhere, made safe for a terminal: a title or a log line must not draw, colour or answer on it. */

/** Control, format and surrogate characters become `·`, but for newlines; at most `limit` characters. */
export function printable(text: string, limit = 500): string {
  const clean = text.replace(/[^\P{C}\n]/gu, '·');
  return clean.length <= limit ? clean : `${clean.slice(0, limit - 1)}…`;
}

/** The same on one line. */
export const printableLine = (text: string, limit = 500): string => printable(text.replace(/\s+/g, ' '), limit);
