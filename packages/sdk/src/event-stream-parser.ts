/** Server-sent events from text, as the HTML standard's "Interpreting an event stream" says. */
import { WeirError } from '@weir/contracts/errors';

/** Longest line, and longest data of one message, in characters. */
const maxMessageLength = 1024 * 1024;

export type EventStreamMessage = Readonly<{
  event: string;
  data: string;
  /** Of this or an earlier message: what to send as Last-Event-ID. */
  id: string;
}>;

export type EventStreamParser = Readonly<{
  /** Takes the next piece of text, cut anywhere, and returns the messages that it completed. */
  push: (text: string) => readonly EventStreamMessage[];
  /** The wait before reconnecting that the server asked for, in milliseconds. */
  retryMs: () => number | undefined;
}>;

export function createEventStreamParser(): EventStreamParser {
  let rest = '';
  let atStart = true;
  let afterCarriageReturn = false;
  let event = '';
  let data: string[] = [];
  let dataLength = 0;
  let id = '';
  let retryMs: number | undefined;

  function push(text: string): readonly EventStreamMessage[] {
    if (text === '') return [];
    let fresh = atStart && text.startsWith('\uFEFF') ? text.slice(1) : text;
    atStart = false;
    // A line feed that follows a carriage return of the piece before belongs to the same line end.
    if (afterCarriageReturn && fresh.startsWith('\n')) fresh = fresh.slice(1);
    afterCarriageReturn = fresh === '' ? false : fresh.endsWith('\r');
    const lines = fresh.split(/\r\n|\r|\n/);
    lines[0] = rest + (lines[0] ?? '');
    rest = lines.pop() ?? '';
    assertShort(rest.length);
    return lines.flatMap(takeLine);
  }

  function takeLine(line: string): readonly EventStreamMessage[] {
    if (line === '') return dispatch();
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') event = value;
    if (field === 'data') {
      dataLength += value.length + 1;
      assertShort(dataLength);
      data.push(value);
    }
    if (field === 'id' && !value.includes('\0')) id = value;
    if (field === 'retry' && /^[0-9]{1,9}$/.test(value)) retryMs = Number(value);
    return [];
  }

  function dispatch(): readonly EventStreamMessage[] {
    const message = { event: event === '' ? 'message' : event, data: data.join('\n'), id };
    const complete = data.length > 0;
    event = '';
    data = [];
    dataLength = 0;
    return complete ? [message] : [];
  }

  return { push, retryMs: () => retryMs };
}

function assertShort(length: number): void {
  if (length > maxMessageLength) throw new WeirError('request.too_large', 'The server sent an event that is longer than a mebibyte.');
}
