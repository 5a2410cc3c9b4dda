/**
 * Times a check beside the bare operation that it can't do without, in short rounds in turn, and counts the bytes that each call allocates. Time is
 * the thread's own CPU time, so that what else the machine does is not counted; caches that others empty are.
 */
import { PerformanceObserver } from 'node:perf_hooks';
import v8 from 'node:v8';
import vm from 'node:vm';

/** `ratio`: median time of the subject over that of the baseline; `spread`: (third − first quartile) of the ratios over their median. */
export type Row = Readonly<{ name: string; baseline: string; ratio: number; spread: number; detail: string }>;
export type Work = () => unknown;

const rounds = 61;
const roundMs = 4;

/** Where a call answers with a promise, it is awaited. */
export async function compare(name: string, subject: Work, baseline: string, bare: Work): Promise<Row> {
  for (const work of [subject, bare]) for (let at = 0; at < 3; at += 1) await timeOf(work);
  const pairs: (readonly [number, number])[] = [];
  for (let at = 0; at < rounds; at += 1) pairs.push([await timeOf(subject), await timeOf(bare)]);
  const ratios = pairs.map(([subjectNs, bareNs]) => subjectNs / bareNs);
  const [subjectNs, bareNs] = [quantile(pairs.map(([ns]) => ns), 0.5), quantile(pairs.map(([, ns]) => ns), 0.5)];
  const ratio = quantile(ratios, 0.5);
  const detail = `${subjectNs.toFixed(0)} ns beside ${bareNs.toFixed(0)} ns; ${await bytesOf(subject)} B beside ${await bytesOf(bare)} B allocated`;
  return { name, baseline, ratio, spread: (quantile(ratios, 0.75) - quantile(ratios, 0.25)) / ratio, detail };
}

/** Nanoseconds of CPU per call, over about `roundMs` of it. */
async function timeOf(work: Work): Promise<number> {
  const begun = cpuMs();
  let calls = 0;
  while (cpuMs() - begun < roundMs) {
    await callOften(work, 50);
    calls += 50;
  }
  return ((cpuMs() - begun) * 1e6) / calls;
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

async function callOften(work: Work, times: number): Promise<void> {
  for (let at = 0; at < times; at += 1) {
    const answer = work();
    if (answer instanceof Promise) await answer;
  }
}

v8.setFlagsFromString('--expose-gc');
// The one way to reach it in a process that was started without the flag.
const collectGarbage = vm.runInNewContext('gc') as () => void;
let collections = 0;
new PerformanceObserver((list) => { collections += list.getEntries().length; }).observe({ entryTypes: ['gc'] });

/**
 * Bytes on JavaScript's heap for each call: how much the heap grew over a batch between two collections, the median of some batches. A batch that
 * a collection fell into does not count. What a call takes outside that heap (OpenSSL's contexts, backing stores) is not in it.
 */
async function bytesOf(work: Work): Promise<string> {
  let batch = 800;
  const grown: number[] = [];
  while (grown.length < 9 && batch >= 25) {
    collectGarbage();
    await settled();
    const before = collections;
    const heap = process.memoryUsage().heapUsed;
    await callOften(work, batch);
    const bytes = (process.memoryUsage().heapUsed - heap) / batch;
    await settled();
    if (collections === before) grown.push(bytes);
    else batch /= 2;
  }
  return grown.length === 0 ? '?' : Math.max(0, quantile(grown, 0.5)).toFixed(0);
}

/** Entries of collections are told in a later turn. */
const settled = (): Promise<void> => new Promise((resolve) => { setTimeout(resolve, 2); });

function quantile(values: readonly number[], at: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * at)] ?? Number.NaN;
}
