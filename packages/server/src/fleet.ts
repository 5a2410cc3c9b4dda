/** The fleet of a server: its coordinator with the ports filled in, or the reason why there is none. */
import type { ContentStore } from '@weir/content/store';
import { holdingById } from '@weir/content/holdings';
import type { Clock } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import type { DataDirectory } from '@weir/data/data-directory';
import { Coordinator } from '@weir/fleet/coordinator/coordinator';
import { jobGrantSigner } from '@weir/fleet/coordinator/grants';
import { mediaVerifier } from '@weir/fleet/coordinator/verification';
import { gradeJail, requireJail } from '@weir/fleet/jail/grade';
import { findMediaTools } from '@weir/fleet/media-tools';
import type { Gatekeeper } from '@weir/security/gatekeeper';
import type { Logger } from 'pino';
import type { Warning } from './app.ts';
import type { AuditTrail } from './audit-trail.ts';
import type { Instance } from './instance.ts';
import type { StoredHolding } from './object-store.ts';
import { readableByOwnerOfJob } from './job-inputs.ts';

type Parts = Readonly<{
  instance: Instance; clock: Clock; content: ContentStore; gatekeeper: Gatekeeper<StoredHolding>; audit: AuditTrail; log: Logger; directory: DataDirectory;
}>;
export type Fleet = Readonly<{ coordinator: Coordinator | undefined; problem: string | undefined; warnings: readonly Warning[] }>;

/** A server without ffmpeg or a jail starts all the same; it says so and takes no jobs. */
export async function openFleet({ instance, clock, content, gatekeeper, audit, log, directory }: Parts): Promise<Fleet> {
  const { config, data, signing, tokenAudience } = instance;
  if (!config.fleet.enabled) return { coordinator: undefined, problem: 'The fleet is switched off ([fleet] enabled = false).', warnings: [] };
  const report = await gradeJail();
  try {
    findMediaTools();
    requireJail(report, false);
  } catch (error) {
    if (!(error instanceof WeirError) || error.code !== 'system.missing') throw error;
    return { coordinator: undefined, problem: error.message, warnings: [{ code: 'fleet.missing', message: `Jobs are off: ${error.message}`, next_step: 'Install it and start Weir again.' }] };
  }
  const coordinator = new Coordinator({
    data, content, instance: instance.id, directory: directory.path, clock, maxUnfinishedPerOwner: config.fleet.max_unfinished_jobs,
    timings: { lease: config.fleet.lease_seconds * 1_000, stall: config.fleet.stall_seconds * 1_000 },
    signGrant: jobGrantSigner(tokenAudience, tokenAudience, () => signing.job.signing),
    authorizeInput: async (owner, holding) => (await holdingById(data.read, holding)) !== undefined && readableByOwnerOfJob(gatekeeper, { data, clock }, owner, holding),
    verifyOutputs: mediaVerifier({ data, content, scratch: directory.jobs }),
    record: (tx, { action, principal, job, worker, reason }) => audit.record(tx, {
      class: 'B', principal, address: '', action, object: worker === undefined ? `job:${job}` : `worker:${worker}`, decision: reason === 'not_held' ? 'refused' : 'allowed', reason, requestId: '',
    }),
    onError: (error, doing) => log.error({ err: error }, `the fleet failed while ${doing}`),
  });
  const weak: Warning[] = report.grade === 'landlock' ? [{ code: 'fleet.jail', message: `ffmpeg runs in the weaker jail (Landlock): ${report.reason}`, next_step: report.advice }] : [];
  return { coordinator, problem: undefined, warnings: weak };
}
