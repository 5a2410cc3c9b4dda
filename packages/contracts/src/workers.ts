/** The conversation between a worker and the coordinator: frames of one WebSocket, signed assignments, invitations. */
import { z } from 'zod';
import { Instant, PrincipalId, Ulid } from './identity.ts';
import { OutputName, Progress } from './jobs.ts';

export const workerProtocol = 1;
/** The longest text frame that either side accepts, in bytes. */
export const maxWorkerFrameBytes = 256 * 1024;
/** The largest sum of an argument list's lengths; an assignment must fit into one frame. */
export const maxArgumentBytes = 64 * 1024;

export const JobClass = z.enum(['cpu', 'gpu', 'io']);
export type JobClass = z.infer<typeof JobClass>;

const Parameter = z.union([z.string().max(1_000), z.number(), z.boolean()]);
const Words = z.array(z.string().max(64)).max(500);
export const Capabilities = z.strictObject({
  ffmpeg: z.string().max(100), encoders: Words, jail: z.enum(['bubblewrap', 'landlock', 'none']),
});
export type Capabilities = z.infer<typeof Capabilities>;

const Labels = z.record(z.string().max(64), z.string().max(256)).refine((l) => Object.keys(l).length <= 32, 'at most 32 labels');
const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** One attempt of one job: the fence rises with each assignment, so an old attempt can never speak for a newer one. */
export const AttemptName = z.strictObject({ job_id: Ulid, fence: z.int().min(1) });
export type AttemptName = z.infer<typeof AttemptName>;

export const LogText = z.strictObject({ stream: z.enum(['stderr', 'weir']), text: z.string().max(2_000) });
export type LogText = z.infer<typeof LogText>;

/** Why an attempt ended without a result. `retryable` says whether another worker may do better. */
export const AttemptFailure = z.strictObject({ code: z.string().max(64), message: z.string().max(2_000), retryable: z.boolean() });
export type AttemptFailure = z.infer<typeof AttemptFailure>;

/** The code of an attempt that ends because its worker does: counted against neither the job nor the worker. */
export const workerStopping = 'worker.stopping';

/** What a worker says. `moved` is a counter of work done (bytes moved, microseconds encoded): only its rise counts as progress. */
export const WorkerMessage = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('hello'), protocol: z.literal(workerProtocol), version: z.string().max(64), capabilities: Capabilities,
    slots: z.int().min(1).max(64), classes: z.array(JobClass).min(1).max(3), labels: Labels, active: z.array(AttemptName).max(128),
  }),
  z.strictObject({ type: z.literal('renew'), attempts: z.array(AttemptName).max(128) }),
  z.strictObject({ type: z.literal('started'), ...AttemptName.shape }),
  z.strictObject({ type: z.literal('progress'), ...AttemptName.shape, progress: Progress, moved: z.int().min(0) }),
  z.strictObject({ type: z.literal('log'), ...AttemptName.shape, lines: z.array(LogText).min(1).max(100) }),
  z.strictObject({
    type: z.literal('delivered'), ...AttemptName.shape,
    outputs: z.array(z.strictObject({ name: OutputName, size: z.int().min(0), sha256: Sha256 })).max(16),
  }),
  z.strictObject({ type: z.literal('failed'), ...AttemptName.shape, ...AttemptFailure.shape, log_tail: z.array(LogText).max(50) }),
  z.strictObject({ type: z.literal('drain') }),
]);
export type WorkerMessage = z.infer<typeof WorkerMessage>;

/** What the coordinator says. `settled` acknowledges `delivered` and `failed`, which a worker repeats until it hears it. */
export const CoordinatorMessage = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('welcome'), worker: PrincipalId, lease_seconds: z.number().positive(), server_time: Instant }),
  /** The instance's key changed; a JWS (`weir-instance-key+jwt`) of an older one says so. */
  z.strictObject({ type: z.literal('instance_key'), successor: z.string().max(2_048) }),
  z.strictObject({ type: z.literal('assign'), assignment: z.string().max(maxWorkerFrameBytes) }),
  z.strictObject({ type: z.literal('leases'), attempts: z.array(AttemptName).max(128) }),
  z.strictObject({ type: z.literal('cancel'), ...AttemptName.shape }),
  z.strictObject({ type: z.literal('lost'), ...AttemptName.shape }),
  z.strictObject({ type: z.literal('settled'), ...AttemptName.shape }),
  /** A message was not taken: more of them than a worker may send came at once. */
  z.strictObject({ type: z.literal('error'), code: z.string().max(64), message: z.string().max(1_000) }),
]);
export type CoordinatorMessage = z.infer<typeof CoordinatorMessage>;

const GrantToken = z.string().min(1).max(4_096);
export const AttemptLimits = z.strictObject({
  wall_seconds: z.int().min(1), stall_seconds: z.int().min(1), output_bytes: z.int().min(1),
});
export type AttemptLimits = z.infer<typeof AttemptLimits>;

/** What the worker runs: a recipe with its parameters, or an argument list that the worker vets again. */
export const Work = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('recipe'), recipe: z.string().max(64), parameters: z.record(z.string().max(64), Parameter) }),
  z.strictObject({ kind: z.literal('arguments'), arguments: z.array(z.string().max(8_192)).min(1).max(400) }),
]);
export type Work = z.infer<typeof Work>;

/** Claims of an assignment (compact JWS, typ `weir-assignment+jwt`); `iat` and `exp` in seconds, `exp` bounds its acceptance, not the work. */
export const Assignment = z.strictObject({
  ...AttemptName.shape, worker: PrincipalId, instance: z.string().min(1).max(128), iat: z.int(), exp: z.int(), work: Work,
  inputs: z.array(z.strictObject({ index: z.int().min(0).max(15), size: z.int().min(0), content_type: z.string().max(128), token: GrantToken })).max(16),
  outputs: z.array(z.strictObject({ name: OutputName, max_bytes: z.int().min(1), token: GrantToken })).max(16),
  limits: AttemptLimits,
});
export type Assignment = z.infer<typeof Assignment>;

/** A raw Ed25519 public key, base64url. */
const Ed25519Key = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'a raw Ed25519 key in base64url');
export const JoinRequest = z.strictObject({ token: z.string().min(20).max(200), name: PrincipalId, public_key: Ed25519Key });
export type JoinRequest = z.infer<typeof JoinRequest>;
export const InstanceKey = z.strictObject({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: Ed25519Key, kid: z.string().max(128) });
export type InstanceKey = z.infer<typeof InstanceKey>;
/** Claims of a successor: the key that `instance` signs with from now on. */
export const KeySuccessor = z.strictObject({ instance: z.string().min(1).max(128), key: InstanceKey });
export type KeySuccessor = z.infer<typeof KeySuccessor>;
export const JoinReply = z.strictObject({ worker: PrincipalId, instance: z.string().min(1).max(128), instance_key: InstanceKey });
export type JoinReply = z.infer<typeof JoinReply>;
export const Invite = z.strictObject({ link: z.string(), expires_at: Instant });

/** A worker as operators see it. */
export const Worker = z.strictObject({
  worker: PrincipalId, connected: z.boolean(), draining: z.boolean(), quarantined: z.boolean(), slots: z.int(), classes: z.array(JobClass),
  labels: Labels, capabilities: Capabilities, active_jobs: z.int(), last_seen_at: Instant, created_at: Instant,
});
export type Worker = z.infer<typeof Worker>;
