/** Bytes that arrive become a holding of their owner: received whole, published in one transaction, or nothing is kept. */
import type { HoldingRow } from '@weir/content/store';
import type { AuditEntry } from '@weir/security/audit';
import type { App } from './app.ts';

/** `entry`: what the audit log says of it, in the same transaction. */
export type Upload = Readonly<{
  title: string | undefined; maxBytes: number; expectedSize?: number | undefined; signal?: AbortSignal | undefined; entry: (row: HoldingRow) => AuditEntry;
}>;

/** `request.too_large`, `content.incomplete`, `storage.full`. Whoever holds the same content already gets that holding back. */
export async function storeUpload(app: App, owner: string, bytes: AsyncIterable<Uint8Array>, { title, maxBytes, expectedSize, signal, entry }: Upload): Promise<HoldingRow> {
  const received = await app.content.receive(bytes, { maxBytes, ...(signal && { signal }), ...(expectedSize === undefined ? {} : { expectedSize }) });
  try {
    const row = await app.data.write(async (tx) => {
      const published = await app.content.publish(tx, owner, received, {
        title: (title ?? 'untitled').replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '').slice(0, 200) || 'untitled',
        contentType: received.contentType, policy: null, ceilings: '[]', origin: null, now: app.clock(),
      });
      await app.audit.record(tx, entry(published));
      return published;
    });
    if (row.blob !== received.blob) await app.content.discard(received);
    return row;
  } catch (error) {
    await app.content.discard(received);
    throw error;
  }
}
