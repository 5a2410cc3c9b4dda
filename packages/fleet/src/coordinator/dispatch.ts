/** Gives queued jobs to connected workers: one claim at a time in turn, so that neither one worker nor one owner takes everything. */
import { WeirError } from '@weir/contracts/errors';
import type { Assignment } from '@weir/contracts/workers';
import { claimJobs, failAttempt, queuedCount, type Attempt, type JobRow } from '../store.ts';
import { announce, writeLog, type Context, type JobGrant } from './context.ts';
import { specificationOf, type Specification } from './specification.ts';
import type { WorkerSession } from './session.ts';

/** How long a worker may wait before it accepts an assignment. */
const acceptanceSeconds = 60;
/** Grants outlive the longest attempt by this; a lost lease ends them at once anyway. */
const grantMarginSeconds = 3_600;

export async function dispatch(context: Context, sessions: ReadonlyMap<string, WorkerSession>): Promise<void> {
  if ((await queuedCount(context.data.read)) === 0) return;
  let open = [...sessions.values()];
  while (open.length > 0) {
    const given: WorkerSession[] = [];
    for (const session of open) {
      if (await giveOne(context, session)) given.push(session);
    }
    open = given;
  }
}

async function giveOne(context: Context, session: WorkerSession): Promise<boolean> {
  if (session.freeSlots < 1) return false;
  const now = context.clock();
  const [row] = await context.data.writeReadCommitted((tx) =>
    claimJobs(tx, { worker: session.worker, classes: session.classes, slots: 1 }, now, now + context.timings.lease, now - context.timings.live));
  if (row === undefined) return false;
  const attempt: Attempt = { job: row.id, fence: row.fence, worker: session.worker };
  announce(context, row);
  try {
    const specification = specificationOf(row);
    await authorizeInputs(context, row, specification);
    session.assign(attempt, assignmentFor(context, attempt, specification));
  } catch (error) {
    await giveUp(context, attempt, error);
  }
  return true;
}

async function authorizeInputs(context: Context, row: JobRow, specification: Specification): Promise<void> {
  for (const { holding } of specification.inputs) {
    if (!(await context.authorizeInput(row.owner, holding))) throw new WeirError('policy.refused', 'The submitter may no longer use an input of this job.');
  }
}

function assignmentFor(context: Context, { job, fence, worker }: Attempt, specification: Specification): Assignment {
  const iat = Math.floor(context.clock() / 1_000);
  const expiresAt = iat + specification.limits.wall_seconds + grantMarginSeconds;
  const token = (part: string, verb: JobGrant['verb']) => context.signGrant({ worker, job, fence, part, verb, issuedAt: iat, expiresAt });
  return {
    job_id: job, fence, worker, instance: context.instance, iat, exp: iat + acceptanceSeconds, work: specification.work,
    inputs: specification.inputs.map((input, index) => ({ index, size: input.size, content_type: input.contentType, token: token(`input:${index}`, 'read') })),
    outputs: specification.outputs.map((name) => ({ name, max_bytes: specification.limits.output_bytes, token: token(`output:${name}`, 'write') })),
    limits: specification.limits,
  };
}

/** The job can't be given to anyone: what stands in the way is no worker's doing. */
async function giveUp(context: Context, attempt: Attempt, error: unknown): Promise<void> {
  const failure = error instanceof WeirError ? { code: error.code, message: error.message } : { code: 'internal', message: 'The job could not be assigned; see the server log.' };
  if (!(error instanceof WeirError)) context.onError(error, 'assigning a job');
  const row = await context.data.write((tx) => failAttempt(tx, attempt, { ...failure, retryable: false }, context.clock()));
  if (row === undefined) return;
  await writeLog(context, row.id, row.attempt, [{ stream: 'weir', text: failure.message }]);
  announce(context, row);
}
