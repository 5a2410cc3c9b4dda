/**
 * Keeps a response about half a second ahead of its reader. The kernel of a slow reader takes many MiB that the program has not read, and
 * hands them on after the connection was reset; but what its window has shrunk by is what lies there unread, so no more is sent.
 */
import type { Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { tcpFacts, type TcpFacts } from './tcp-facts.ts';

/** Always this far ahead, in bytes, so that a reader can begin and a distant one is not starved. */
const leastAhead = 65_536;
/** Beyond that, what the reader takes in this time, in seconds. */
const aheadSeconds = 0.5;
/** The reader's rate is the lesser of two means, in milliseconds: a burst at the start does not make a fast reader. */
const [shortMs, longMs] = [1_000, 5_000];
const noteEveryMs = 200;
/** Less room than this is not worth a write, in bytes. */
const leastWrite = 16_384;
/** A window is only advertised anew when something arrives: this much asks for it, in bytes, ever less often. */
const probeBytes = 4_096;
const [firstProbeMs, lastProbeMs] = [20, 1_000];
const longestPauseMs = 50;

/** One for each connection: the next response on it need not find out again how fast its reader is. */
const paces = new WeakMap<Socket, ReaderPace>();

type Note = Readonly<{ atMs: number; consumed: number }>;

export class ReaderPace {
  readonly #socket: Socket;
  readonly #from: number;
  readonly #notes: Note[] = [];
  #widest = 0;
  #probeMs = firstProbeMs;

  private constructor(socket: Socket, facts: TcpFacts) {
    this.#socket = socket;
    this.#from = facts.ackedBytes;
  }

  /** Undefined where the kernel does not tell: then nothing paces but the kernel's buffers. */
  static of(socket: Socket | null): ReaderPace | undefined {
    if (socket === null) return undefined;
    const known = paces.get(socket);
    if (known !== undefined) return known;
    const facts = tcpFacts(socket);
    if (facts === undefined) return undefined;
    const pace = new ReaderPace(socket, facts);
    paces.set(socket, pace);
    return pace;
  }

  /** Waits until the reader has come near enough; how many bytes may be written then, at most `most`. Rejects when `signal` aborts. */
  async room(most: number, signal: AbortSignal): Promise<number> {
    let pausedMs = 0;
    for (;;) {
      const { room, outstandingBytes } = this.#look(performance.now());
      if (room >= Math.min(leastWrite, most)) {
        this.#probeMs = firstProbeMs;
        return Math.min(most, room);
      }
      if (outstandingBytes === 0 && pausedMs >= this.#probeMs) {
        this.#probeMs = Math.min(this.#probeMs * 2, lastProbeMs);
        return Math.min(most, probeBytes);
      }
      const pauseMs = Math.min(longestPauseMs, Math.max(1, pausedMs));
      await wait(pauseMs, undefined, { signal });
      pausedMs += pauseMs;
    }
  }

  #look(nowMs: number): { room: number; outstandingBytes: number } {
    const facts = tcpFacts(this.#socket);
    if (facts === undefined) return { room: Infinity, outstandingBytes: 0 };
    this.#widest = Math.max(this.#widest, facts.windowBytes);
    const unread = this.#widest - facts.windowBytes;
    const consumed = facts.ackedBytes - this.#from - unread;
    const last = this.#notes.at(-1);
    if (last === undefined || nowMs - last.atMs >= noteEveryMs) this.#notes.push({ atMs: nowMs, consumed });
    if (this.#notes.length > longMs / noteEveryMs + 1) this.#notes.shift();
    const rate = Math.min(this.#rateOver(shortMs, nowMs, consumed), this.#rateOver(longMs, nowMs, consumed));
    const ahead = Math.max(leastAhead, aheadSeconds * rate);
    return { room: Math.floor(ahead - unread - facts.outstandingBytes), outstandingBytes: facts.outstandingBytes };
  }

  /** Bytes per second; before there is that much to look back on, as if nothing had been read earlier. */
  #rateOver(ms: number, nowMs: number, consumed: number): number {
    const since = this.#notes.findLast((note) => nowMs - note.atMs >= ms) ?? { atMs: nowMs - ms, consumed: 0 };
    return (consumed - since.consumed) * 1_000 / (nowMs - since.atMs);
  }
}
