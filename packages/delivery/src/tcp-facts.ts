/** What Linux knows of a TCP connection: how much the peer has taken, and how much room its window leaves (tcp(7), TCP_INFO). */
import type { Socket } from 'node:net';
import koffi from 'koffi';

export type TcpFacts = Readonly<{
  /** Bytes that the peer's kernel has acknowledged, since the connection began. */
  ackedBytes: number;
  /** Bytes that we have written and the peer has not acknowledged. */
  outstandingBytes: number;
  /** The window that the peer advertised last: what its receive buffer still holds, in bytes. */
  windowBytes: number;
}>;

// Offsets in `struct tcp_info` of linux/tcp.h; fields are only ever added at its end. The last one came with Linux 5.4.
const infoLength = 232;
const at = { acked: 120, unsent: 144, sent: 200, sentAgain: 208, window: 228 } as const;
const [ipprotoTcp, tcpInfo, solSocket, soLinger] = [6, 11, 1, 13];

type GetOption = (fd: number, level: number, name: number, value: Buffer, length: [number]) => number;
type SetOption = (fd: number, level: number, name: number, value: Buffer, length: number) => number;
let calls: Readonly<{ get: GetOption; set: SetOption }> | undefined;

function libc(): Readonly<{ get: GetOption; set: SetOption }> {
  if (calls !== undefined) return calls;
  const library = koffi.load('libc.so.6');
  calls = {
    get: library.func('int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint32_t *length)'),
    set: library.func('int setsockopt(int fd, int level, int name, const uint8_t *value, uint32_t length)'),
  };
  return calls;
}

const buffer = Buffer.alloc(256);

/** Undefined where the kernel does not say: other systems, Linux before 5.4, sockets that are not TCP or are closed. */
export function tcpFacts(socket: Socket): TcpFacts | undefined {
  const fd = descriptorOf(socket);
  if (fd === undefined) return undefined;
  const length: [number] = [buffer.length];
  if (libc().get(fd, ipprotoTcp, tcpInfo, buffer, length) !== 0 || length[0] < infoLength) return undefined;
  const acked = Number(buffer.readBigUInt64LE(at.acked));
  const sentOnce = Number(buffer.readBigUInt64LE(at.sent)) - Number(buffer.readBigUInt64LE(at.sentAgain));
  return {
    ackedBytes: acked, outstandingBytes: buffer.readUInt32LE(at.unsent) + Math.max(0, sentOnce - acked), windowBytes: buffer.readUInt32LE(at.window),
  };
}

/** Makes the close of a connection a reset, which drops what waits to be sent, also under TLS (socket(7), SO_LINGER of zero seconds). */
export function closeByReset(socket: Socket): void {
  const fd = descriptorOf(socket);
  if (fd === undefined) return;
  const linger = Buffer.alloc(8);
  linger.writeInt32LE(1, 0);
  libc().set(fd, solSocket, soLinger, linger, linger.length);
}

/** Node keeps the descriptor of a socket, also of one under TLS, at its handle. */
function descriptorOf(socket: Socket): number | undefined {
  if (process.platform !== 'linux' || socket.destroyed) return undefined;
  const handle: unknown = Reflect.get(socket, '_handle');
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  return typeof fd === 'number' && fd >= 0 ? fd : undefined;
}
