/** Bytes in and out: upload, download, delete. */
import { createHmac, randomBytes } from 'node:crypto';
import { deleteHolding, findHolding } from '@weir/content/holdings';
import { Content } from '@weir/contracts/content';
import { errors, WeirError } from '@weir/contracts/errors';
import { CidText, PrincipalId, toInstant } from '@weir/contracts/identity';
import { useGrant } from '@weir/data/security-stores/grants';
import { resetConnection, sendContent, type MediaReply } from '@weir/delivery/http-media';
import { parseCid } from '@weir/security/content-id';
import { z } from 'zod';
import type { App } from '../app.ts';
import { changeEntry } from '../audit-trail.ts';
import { noteReading } from '../continued-readings.ts';
import type { StoredHolding } from '../object-store.ts';
import { route, type Context } from '../route.ts';
import { storeUpload } from '../store-upload.ts';
import { firstFile } from '../multipart.ts';
import { exchangeTicket } from '../tickets.ts';

const ByCid = z.strictObject({ cid: CidText });
const ReadQuery = z.strictObject({ owner: PrincipalId.optional(), grant: z.string().max(8_192).optional(), download: z.enum(['1']).optional() });
const UploadQuery = z.strictObject({ filename: z.string().min(1).max(200).optional() });

const read = (method: 'GET' | 'HEAD', summary: string) => route({
  method, path: '/api/v1/content/:cid', action: 'content.read', parameters: ByCid, query: ReadQuery, reply: 'stream',
  resource: ({ cid }, { owner }) => ({ kind: 'content', digest: parseCid(cid).digest, owner }), summary,
}, sendHolding);

export const routes = [
  route({
    method: 'POST', path: '/api/v1/content', action: 'content.write', query: UploadQuery, body: 'stream', reply: Content, status: 201, limit: 'upload',
    summary: 'Store bytes (raw body, or one file as multipart/form-data)',
  }, async (context) => toContent(await upload(context))),

  read('GET', 'Read content, whole or in ranges'),
  read('HEAD', 'Size and type of content'),

  route({
    method: 'DELETE', path: '/api/v1/content/:cid', action: 'content.delete', parameters: ByCid, resource: () => ({ kind: 'own' }),
    summary: 'Drop your holding of this content; its key is destroyed',
  }, async ({ app, admission, principal, parameters, requestId }) => {
    const { digest } = parseCid(parameters.cid);
    await app.data.write(async (tx) => {
      const holding = await findHolding(tx, principal, digest);
      if (holding === undefined) throw new WeirError('object.absent');
      await deleteHolding(tx, holding.id, app.clock());
      await app.audit.record(tx, changeEntry(admission, `holding:${holding.id}`, requestId));
    });
    await app.gatekeeper.epochs.refresh();
  }),
];

async function upload({ app, admission, principal, query, incoming, upload: body, requestId, signal }: Context<unknown, z.output<typeof UploadQuery>, unknown>): Promise<StoredHolding['row']> {
  const maxBytes = app.config.content.max_upload_bytes;
  const file = await firstFile(incoming, body, maxBytes);
  const announced = file.size;
  if (announced !== undefined && announced > maxBytes) throw new WeirError('request.too_large', `An upload may have at most ${maxBytes} bytes; [content] max_upload_bytes sets that.`);
  return storeUpload(app, principal, file.bytes, {
    title: query.filename ?? file.name, maxBytes, expectedSize: announced, signal, entry: (row) => changeEntry(admission, `holding:${row.id}`, requestId, `${row.size} bytes`),
  });
}

export const toContent = (row: StoredHolding['row']): z.input<typeof Content> => ({
  cid: row.cid, size: row.size, content_type: row.content_type, profile: 'unixfs-v1-2025', encrypted: row.data_key !== null, created_at: toInstant(row.created_at),
});

/** Registers the reading, counts an opening, sends; a right that ends while bytes flow resets the connection. */
async function sendHolding(context: Context<z.output<typeof ByCid>, z.output<typeof ReadQuery>, unknown>): Promise<void> {
  const { app, admission, reply, incoming, signal } = context;
  const { holding } = admission;
  if (holding === undefined) throw new WeirError('object.absent');
  if (admission.identity.via === 'ticket') return exchangeTicket(context);
  const response = reply.raw;
  const ended = new AbortController();
  using _viewer = app.viewers.open(admission, (reason) => {
    ended.abort(new WeirError('policy.refused', `The right to read this ended (${reason}).`));
    resetConnection(response);
  });
  if (incoming.method === 'GET') await countOpening(context, holding);
  const isPublic = holding.policy?.level === 'public' && admission.grant === undefined;
  const { row } = holding;
  const media: MediaReply = {
    size: row.size, contentType: context.query.download === undefined ? row.content_type : 'application/octet-stream', title: row.title, etag: etagOf(app, holding, isPublic),
    cacheControl: isPublic ? 'public, max-age=60' : 'private, no-store', pace: isPublic ? 'kernel' : 'reader', open: () => app.content.open(row),
  };
  try {
    await sendContent(reply.stream(), incoming.headers, media, AbortSignal.any([signal, ended.signal]));
  } catch (error) {
    if (!response.headersSent) throw error;
    if (error instanceof WeirError && errors[error.code].status >= 500) app.log.error({ err: error, holding: holding.id, requestId: context.requestId }, 'content was not served');
  }
}

/** The content's own name where anyone may know it; otherwise a name that only this instance can make. */
function etagOf(app: App, holding: StoredHolding, isPublic: boolean): string {
  if (isPublic) return `"${holding.row.cid}"`;
  return `"${createHmac('sha256', app.keyRing.derive('etag')).update(holding.id).digest('base64url').slice(0, 32)}"`;
}

const readingCookie = 'weir-reading';
const readings = new Map<string, { grant: string; until: number }>();
const readingLifeMs = 6 * 3_600_000;
const mostReadings = 50_000;

/**
 * One audit event for each opening, and one use of a grant that has a number of uses. A player goes on with further ranges under the
 * cookie that its first answer set; without the cookie each request is an opening.
 */
async function countOpening({ app, admission, address, parameters, requestId, incoming, reply }: Context<z.output<typeof ByCid>, unknown, unknown>, holding: StoredHolding): Promise<void> {
  const isNew = noteReading(app, { identity: admission.identity, grant: admission.grant }, address, parameters);
  const { grant } = admission;
  if (grant !== undefined && grant.counted.length > 0) {
    const presented = new RegExp(`(?:^|;\\s*)${readingCookie}=([A-Za-z0-9_-]{22})`).exec(incoming.headers.cookie ?? '')?.[1];
    const known = presented === undefined ? undefined : readings.get(presented);
    if (known === undefined || known.grant !== grant.id || known.until < app.clock()) {
      await app.data.writeReadCommitted((tx) => useGrant(tx, grant.counted));
      const cookie = randomBytes(16).toString('base64url');
      for (const [oldest, reading] of readings) {
        if (readings.size < mostReadings && reading.until > app.clock()) break;
        readings.delete(oldest);
      }
      readings.set(cookie, { grant: grant.id, until: app.clock() + readingLifeMs });
      reply.header('set-cookie', `${readingCookie}=${cookie}; Path=/api/v1/content/${encodeURIComponent(parameters.cid)}; HttpOnly; SameSite=Strict${app.secure ? '; Secure' : ''}`);
    }
  }
  if (isNew || admission.action === 'content.read_any') app.audit.opened(admission, requestId, `holding:${holding.id}`);
}

