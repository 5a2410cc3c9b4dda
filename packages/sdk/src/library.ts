/** Named things: the assets that the caller holds or may see. */
import { LibraryItem } from '@weir/contracts/content';
import { page } from '@weir/contracts/identity';
import { call, path, type CallOptions, type Client, type ListOptions } from './client.ts';

const Items = page(LibraryItem);

/** Newest first. */
export const list = (client: Client, { cursor, limit, signal }: ListOptions = {}) =>
  call(client, { path: '/api/v1/library', query: { cursor, limit }, reply: Items, signal });

export const get = (client: Client, libraryId: string, options: CallOptions = {}) =>
  call(client, { path: path`/api/v1/library/${libraryId}`, reply: LibraryItem, ...options });

export const rename = (client: Client, libraryId: string, title: string, options: CallOptions = {}) =>
  call(client, { method: 'PATCH', path: path`/api/v1/library/${libraryId}`, json: { title }, reply: LibraryItem, ...options });
