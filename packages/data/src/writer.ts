/** The writer that fits the engine. */
import type { Connections } from './connections.ts';
import { openGroupCommit } from './group-commit.ts';
import { openSerializable } from './serializable.ts';
import type { Writer } from './write.ts';

export function openWriter(connections: Connections): Writer {
  return connections.engine === 'sqlite' ? openGroupCommit(connections) : openSerializable(connections);
}
