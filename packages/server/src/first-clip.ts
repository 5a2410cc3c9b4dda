/** The bundled clip of a new instance: ingested, given a policy, and transcoded by the built-in worker. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { App } from './app.ts';
import { firstAdmin } from './first-start.ts';

const clip = fileURLToPath(new URL('../../fleet/assets/clip.mp4', import.meta.url));
/** Anyone who is signed in may watch it: a policy to look at and to change. */
const policy = JSON.stringify({ level: 'protected', allowed_users: [], allowed_roles: [], required_permissions: [], networks: [] });

/** Never fails the start: what went wrong is in the log. */
export async function addFirstClip(app: App): Promise<void> {
  try {
    const { size } = await stat(clip);
    const received = await app.content.receive(createReadStream(clip), { maxBytes: size, expectedSize: size, signal: app.stopping });
    const row = await app.data.write((tx) => app.content.publish(tx, firstAdmin, received, {
      title: 'First light', contentType: received.contentType, policy, ceilings: '[]', origin: null, now: app.clock(),
    }));
    if (app.coordinator === undefined) return;
    await app.coordinator.submit(firstAdmin, {
      recipe: 'mp4-h264', parameters: { height: 480 }, inputs: [{ cid: row.cid }], priority: 50, labels: { title: 'First light, smaller' }, max_attempts: 3,
    }, {
      resolveInput: async () => ({ holding: row.id, cid: row.cid, size: row.size, contentType: row.content_type }),
      inherit: async () => ({ policy, ceilings: '[]' }),
    });
  } catch (error) {
    app.log.error({ err: error }, 'the bundled clip was not added');
  }
}

