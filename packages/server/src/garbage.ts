/** Removes bytes that nothing names: blobs of deleted holdings, of uploads that never became one, of outputs that were refused. */
import { collectGarbage } from '@weir/content/garbage';
import { blobsInUse } from '@weir/content/holdings';
import { unpublishedBlobs } from '@weir/fleet/output-store';
import type { App } from './app.ts';

/** Runs once; the caller repeats it. Outputs that wait for their job's publication are in use as well. */
export async function sweepGarbage(app: App): Promise<number> {
  const graceMs = app.config.content.garbage_grace_seconds * 1_000;
  return collectGarbage(app.content.blobs, async (blobs) => {
    const used = await blobsInUse(app.data.read, blobs, app.clock() - graceMs);
    return new Set([...used, ...await unpublishedBlobs(app.data.read)]);
  }, { now: app.clock(), graceMs, signal: app.stopping });
}
