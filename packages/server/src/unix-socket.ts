/** A Unix socket beside the listener, for a reverse proxy on this machine: what comes by it is served like everything else. */
import { once } from 'node:events';
import { chmod, lstat, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import net from 'node:net';
import { WeirError } from '@weir/contracts/errors';
import { peerAddress } from '@weir/security/networks';
import type { OpenConnections } from './open-connections.ts';

/** Connections that came by the socket. A TCP connection that has ended has no address either, so that is no sign. */
const arrived = new WeakSet<object>();

/** Stands for the address of who came by the socket. */
export const unixPeer = 'unix';

/** Canonical address of a connection's other end, `unixPeer`, or undefined when it is gone. */
export const peerOf = (socket: net.Socket): string | undefined => (arrived.has(socket) ? unixPeer : peerAddress(socket.remoteAddress));

/**
 * Listens on `path` for `server`, without TLS. The file is for the user and the group of this process (mode 0660), and goes with the
 * server; one that a killed server left is replaced. `server.port_used` when another server listens there, `config.invalid` when it is a file of another kind.
 */
export async function listenOnUnixSocket(server: Server, path: string, { maxConnections, connections }: Readonly<{ maxConnections: number; connections: OpenConnections }>): Promise<AsyncDisposable> {
  await removeStale(path);
  const listener = net.createServer((socket) => {
    arrived.add(socket);
    server.emit(server instanceof HttpsServer ? 'secureConnection' : 'connection', socket);
  });
  listener.maxConnections = maxConnections;
  connections.follow(listener);
  // Nobody else may open it, not even for the moment between listening and chmod.
  const before = process.umask(0o117);
  try {
    listener.listen(path);
  } finally {
    process.umask(before);
  }
  try {
    await once(listener, 'listening');
  } catch (cause) {
    throw new WeirError('config.invalid', `The Unix socket ${path} can not be made; see [server] socket_path.`, { cause });
  }
  await chmod(path, 0o660);
  return {
    async [Symbol.asyncDispose]() {
      const closed = once(listener, 'close');
      listener.close();
      await connections.end(0);
      await closed;
    },
  };
}

async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw new WeirError('config.invalid', `[server] socket_path ${path} is something else than a socket; name another place.`);
  if (await answers(path)) throw new WeirError('server.port_used', `Another program listens on ${path}; stop it, or change [server] socket_path.`);
  await rm(path);
}

async function answers(path: string): Promise<boolean> {
  const socket = net.connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false; // left behind
  } finally {
    socket.destroy();
  }
}
