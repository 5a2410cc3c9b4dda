/** A subscription to server-sent events that survives lost connections. `EventSource` cannot carry a token, so this is on `fetch`. */
import { WeirError } from '@weir/contracts/errors';
import { address, fetchChecked, type CallOptions, type Client } from './client.ts';
import { createEventStreamParser, type EventStreamMessage } from './event-stream-parser.ts';
import { RemoteError } from './remote-error.ts';

const firstWaitMs = 500;
const longestWaitMs = 15_000;
/** A server sends at least a comment every fifteen seconds; three missed ones mean that the connection is dead. */
const silenceMs = 45_000;

export type SubscribeOptions = CallOptions & Readonly<{
  lastEventId?: string;
  /** Told when the connection is lost and when it is back. */
  onConnection?: (state: 'open' | 'lost') => void;
}>;

/** How far a subscription is; kept from one connection to the next. */
type Position = { lastEventId: string; retryMs: number; failures: number };

/**
 * Messages in order; after a lost connection it asks again from the last id, waiting 0.5 s, doubling up to 15 s.
 * Ends when the signal aborts. Errors: `RemoteError` for a refusal (4xx but 408 and 429).
 */
export async function* subscribe(client: Client, path: string, options: SubscribeOptions = {}): AsyncGenerator<EventStreamMessage, void> {
  const position: Position = { lastEventId: options.lastEventId ?? '', retryMs: firstWaitMs, failures: 0 };
  const aborted = (): boolean => options.signal?.aborted === true;
  while (!aborted()) {
    try {
      yield* connect(client, path, position, options);
    } catch (error) {
      if (!aborted() && !isPassing(error)) throw error;
    }
    if (aborted()) return;
    options.onConnection?.('lost');
    await wait(Math.min(position.retryMs * 2 ** position.failures, longestWaitMs), options.signal);
    position.failures = Math.min(position.failures + 1, 10);
  }
}

async function* connect(client: Client, path: string, position: Position, options: SubscribeOptions): AsyncGenerator<EventStreamMessage, void> {
  const connection = new AbortController();
  const silence = watchSilence(() => connection.abort());
  try {
    const response = await fetchChecked(client, address(client, path), {
      signal: options.signal ? AbortSignal.any([options.signal, connection.signal]) : connection.signal,
      headers: { accept: 'text/event-stream', ...(position.lastEventId === '' ? {} : { 'last-event-id': position.lastEventId }) },
    });
    options.onConnection?.('open');
    const parser = createEventStreamParser();
    for await (const text of textOf(response.body)) {
      silence.heard();
      const messages = parser.push(text);
      position.retryMs = parser.retryMs() ?? position.retryMs;
      for (const message of messages) {
        position.failures = 0;
        if (message.id !== '') position.lastEventId = message.id;
        yield message;
      }
    }
  } finally {
    silence.stop();
    connection.abort();
  }
}

async function* textOf(body: ReadableStream<Uint8Array> | null): AsyncGenerator<string, void> {
  if (body === null) return;
  const reader = body.getReader();
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield decoder.decode(value, { stream: true });
    }
  } finally {
    await reader.cancel().catch(() => undefined);    // already broken: there is nothing left to release
  }
}

function isPassing(error: unknown): boolean {
  if (error instanceof RemoteError) return error.status >= 500 || error.status === 408 || error.status === 429;
  return !(error instanceof WeirError) || error.code === 'server.unreachable';
}

function watchSilence(onSilence: () => void): Readonly<{ heard: () => void; stop: () => void }> {
  let timer = setTimeout(onSilence, silenceMs);
  return {
    heard: () => {
      clearTimeout(timer);
      timer = setTimeout(onSilence, silenceMs);
    },
    stop: () => clearTimeout(timer),
  };
}

function wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal?.addEventListener('abort', finish);
  });
}
