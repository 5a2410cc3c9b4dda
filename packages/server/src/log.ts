/** The log: one JSON line per event, without a secret in it. */
import type { Redactor } from '@weir/security/redaction';
import pino, { type Logger } from 'pino';

/** Every line passes the redactor whole, so that nothing a serializer adds escapes it. Writes to standard error. */
export function openLog(level: string, redactor: Redactor): Logger {
  return pino({
    level, base: null, timestamp: pino.stdTimeFunctions.isoTime, messageKey: 'message',
    hooks: { streamWrite: (line) => redactor.line(line) },
  }, pino.destination({ dest: 2, sync: true }));
}
