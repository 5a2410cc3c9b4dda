/** Examines what a worker delivered, on the coordinator's own machine and in its jail: no claim of a worker is believed. */
import type { FileHandle } from 'node:fs/promises';
import { WeirError } from '@weir/contracts/errors';
import type { Probe } from '@weir/contracts/jobs';
import type { Received } from '@weir/content/store';
import type { Data } from '@weir/data/data';
import { gradeJail, requireJail, type Jail } from '../jail/grade.ts';
import { namelessFile, readOnly } from '../jail/nameless-file.ts';
import { findMediaTools, type MediaTools } from '../media-tools.ts';
import { expectedOfName } from '../recipes/custom.ts';
import { findRecipe } from '../recipes/index.ts';
import type { ExpectedOutput } from '../recipes/recipe.ts';
import { probeFile } from '../worker/probe.ts';
import { verifyOutputs as verifyFiles } from '../worker/verify.ts';
import type { ContentPort, ExaminedOutput, VerificationRequest, VerifyOutputs } from './context.ts';
import type { Specification } from './specification.ts';

type Stored = Parameters<ContentPort['open']>[0];
type Desk = Readonly<{ data: Data; content: ContentPort; scratch: string; jail: Jail; tools: MediaTools; probes: Map<string, Probe> }>;

/** What the recipe `probe` publishes: it has no output of a worker, its result is the coordinator's own look at the input. */
const probeName = 'probe.json';
const rememberedProbes = 256;
const maxProbeBytes = 1024 * 1024;

/** `scratch` is a private folder for files without names. Errors of each use: `system.missing` without ffmpeg or a jail, `job.failed`. */
export function mediaVerifier(parts: Pick<Desk, 'data' | 'content' | 'scratch'>): VerifyOutputs {
  // Content never changes, so what was found in a holding stays true.
  const probes = new Map<string, Probe>();
  return async (request, signal) => {
    const jail = requireJail(await gradeJail(), false);
    return await examine({ ...parts, jail, tools: findMediaTools(), probes }, request, signal);
  };
}

async function examine(desk: Desk, { specification, outputs }: VerificationRequest, signal: AbortSignal): Promise<ExaminedOutput[]> {
  await using files = new AsyncDisposableStack();
  const { expected, input } = await expectations(desk, specification, signal);
  const collected = [];
  for (const { name, received } of outputs) {
    const handle = files.use(await inTheClear(desk, storedOf(received), signal));
    collected.push({ name, size: received.size, handle });
  }
  const verified = await verifyFiles({ jail: desk.jail, tools: desk.tools, outputs: collected, expected, signal });
  const examined = verified.flatMap(({ name, contentType, probe }): ExaminedOutput[] => {
    const delivered = outputs.find((output) => output.name === name);
    return delivered === undefined ? [] : [{ name, contentType, probe, received: delivered.received }];
  });
  return specification.work.kind === 'recipe' && specification.work.recipe === 'probe' && input !== null
    ? [...examined, await probeAsOutput(desk, input, signal)] : examined;
}

async function expectations(desk: Desk, { work, inputs, outputs }: Specification, signal: AbortSignal): Promise<{ expected: readonly ExpectedOutput[]; input: Probe | null }> {
  if (work.kind === 'arguments') return { expected: outputs.map(expectedOfName), input: null };
  const [first] = inputs;
  if (first === undefined) throw new WeirError('job.failed', 'The job has no input.');
  const input = desk.probes.get(first.holding) ?? await probeHolding(desk, first.holding, signal);
  return { expected: findRecipe(work.recipe).plan(work.parameters, input).outputs, input };
}

async function probeHolding(desk: Desk, id: string, signal: AbortSignal): Promise<Probe> {
  const holding = await desk.data.read.selectFrom('holding').selectAll().where('id', '=', id).where('deleted_at', 'is', null).executeTakeFirst();
  if (holding === undefined) throw new WeirError('job.failed', 'The input of the job was deleted.');
  await using file = await inTheClear(desk, holding, signal);
  const probe = await probeFile({ jail: desk.jail, ffprobe: desk.tools.ffprobe, input: file.fd, signal });
  const [oldest] = desk.probes.keys();
  if (desk.probes.size >= rememberedProbes && oldest !== undefined) desk.probes.delete(oldest);
  desk.probes.set(id, probe);
  return probe;
}

const storedOf = ({ blob, size, sealedKey, leafDigests }: Received): Stored => ({ blob, size, data_key: sealedKey, leaf_digests: leafDigests });

/** The bytes in a file without a name, which vanishes with its handle; the jail inherits it read-only. */
async function inTheClear(desk: Desk, stored: Stored, signal: AbortSignal): Promise<FileHandle> {
  await using reader = await desk.content.open(stored);
  await using file = await namelessFile(desk.scratch);
  for await (const piece of reader.read(0, stored.size, signal)) await file.appendFile(piece);
  return await readOnly(file);
}

async function probeAsOutput(desk: Desk, probe: Probe, signal: AbortSignal): Promise<ExaminedOutput> {
  const bytes = Buffer.from(`${JSON.stringify(probe, undefined, 2)}\n`);
  const received = await desk.content.receive((async function* () { yield bytes; })(), { maxBytes: maxProbeBytes, signal });
  return { name: probeName, contentType: 'application/json', probe, received };
}
