/** That every recipe's arguments pass the vetter, run in the jail, and give what the recipe promised. */
import { mkdirSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WeirError } from '@weir/contracts/errors';
import { Recipe as RecipeMessage, type Probe } from '@weir/contracts/jobs';
import { vetArguments } from '../src/arguments/vet.ts';
import { findRecipe, recipes } from '../src/recipes/index.ts';
import { collectOutputs } from '../src/worker/collect.ts';
import { probeFile } from '../src/worker/probe.ts';
import { verifyOutputs } from '../src/worker/verify.ts';
import { jailOf, makeMedia, privateInput, runList, runs, temporaryDirectory, tools } from './jail-support.ts';

const signal = new AbortController().signal;
const film: Probe = { format: 'mp4', duration_seconds: 3, bit_rate: null, streams: [{ kind: 'video', codec: 'h264', width: 320, height: 180 }, { kind: 'audio', codec: 'aac', channels: 2 }] };
const silent: Probe = { ...film, streams: film.streams.slice(0, 1) }, sound: Probe = { ...film, streams: film.streams.slice(1) };

/** Probes the source, makes the recipe's outputs in the jail, collects and verifies them. */
async function made(recipe: string, parameters: Record<string, string | number>, ...source: readonly string[]) {
  await using directory = await temporaryDirectory();
  makeMedia(`${directory.path}/source.mkv`, 3, ...source);
  await using input = await privateInput(directory.path, `${directory.path}/source.mkv`);
  const jail = await jailOf('bubblewrap');
  const plan = findRecipe(recipe).plan(parameters, await probeFile({ jail, ffprobe: tools.ffprobe, input: input.fd, signal }));
  const names = plan.outputs.map(({ name }) => name);
  expect(findRecipe(recipe).outputs(parameters)).toEqual(names);
  mkdirSync(`${directory.path}/jobs`, { mode: 0o755 });
  const ran = await runList(jail, `${directory.path}/jobs`, { args: plan.arguments, outputs: names }, [input], { durationUs: (plan.durationSeconds ?? 0) * 1e6 });
  expect(ran.result).toMatchObject({ reason: 'ok', exitCode: 0 });
  expect(ran.progress.at(-1)?.[0]).toBe(100);
  await using collected = await collectOutputs(ran.directory, names);
  expect(collected.extra).toEqual([]);
  const outputs = await verifyOutputs({ jail, tools, outputs: collected.outputs, expected: plan.outputs, signal });
  const [text] = await Promise.all(collected.outputs.filter(({ name }) => name.endsWith('.m3u8')).map(({ handle }) => handle.readFile('utf8')));
  return { outputs, playlist: text ?? '' };
}

test('mp4-h264 makes a picture that is never larger than the source, with even sides', { timeout: 60_000 }, async () => {
  const plain = await made('mp4-h264', { preset: 'ultrafast' }, '-c:v', 'libx264', '-c:a', 'flac');
  expect(plain.outputs).toMatchObject([{ name: 'video.mp4', probe: { streams: [{ codec: 'h264', width: 320, height: 180 }, { codec: 'aac', channels: 2 }] } }]);
  const odd = await made('mp4-h264', { height: 144, preset: 'ultrafast', crf: 30 }, '-vf', 'scale=321:183', '-c:v', 'ffv1', '-an');
  expect(odd.outputs).toMatchObject([{ probe: { streams: [{ width: 252, height: 144 }] } }]);
});

test('audio-opus takes the sound of a film and of a sound file', { timeout: 60_000 }, async () => {
  expect((await made('audio-opus', { bitrate_kbps: 48 }, '-c:v', 'libx264', '-c:a', 'flac')).outputs).toMatchObject([{ name: 'audio.opus', contentType: 'audio/ogg', probe: { streams: [{ codec: 'opus' }] } }]);
  expect((await made('audio-opus', {}, '-vn', '-ac', '6', '-c:a', 'flac')).outputs).toMatchObject([{ probe: { streams: [{ channels: 2 }] } }]);
});

test('hls-ladder makes one file and a finished playlist of byte ranges at aligned key frames', { timeout: 60_000 }, async () => {
  const { outputs, playlist } = await made('hls-ladder', { heights: '144', preset: 'ultrafast' }, '-c:v', 'libx264', '-c:a', 'flac');
  expect(outputs).toMatchObject([{ name: 'video.m3u8', contentType: 'application/vnd.apple.mpegurl', probe: null }, { name: 'video.mp4', probe: { streams: [{ height: 144 }, { codec: 'aac' }] } }]);
  expect(playlist).toContain('#EXT-X-MAP:URI="video.mp4",BYTERANGE=');
  expect(playlist.trimEnd().endsWith('#EXT-X-ENDLIST')).toBe(true);
  const mute = await made('hls-ladder', { preset: 'ultrafast' }, '-c:v', 'libx264', '-an');
  expect(mute.outputs).toMatchObject([{}, { probe: { streams: [{ codec: 'h264', height: 180 }] } }]);
});

test('whatever parameters a schema admits, the arguments pass the vetter', () => {
  const parameters = fc.record({
    height: fc.integer({ min: 144, max: 2_160 }), crf: fc.integer({ min: 15, max: 40 }), preset: fc.constantFrom('ultrafast', 'veryfast', 'medium'), audio_bitrate_kbps: fc.integer({ min: 48, max: 320 }),
    bitrate_kbps: fc.integer({ min: 16, max: 256 }), heights: fc.integer({ min: 144, max: 2_160 }).map(String),
  });
  fc.assert(fc.property(parameters, fc.constantFrom(film, silent, sound), ({ height, crf, preset, audio_bitrate_kbps, bitrate_kbps, heights }, input) => {
    const wanted: Readonly<Record<string, object>> = { 'mp4-h264': { height, crf, preset, audio_bitrate_kbps }, 'audio-opus': { bitrate_kbps }, 'hls-ladder': { heights, crf, preset, audio_bitrate_kbps } };
    for (const [name, given] of Object.entries(wanted)) {
      try {
        const plan = findRecipe(name).plan(given, input);
        expect(vetArguments(plan.arguments, { inputs: [{}], outputs: plan.outputs.map((output) => output.name) }).length).toBeGreaterThan(10);
      } catch (error) {
        expect(error instanceof WeirError && error.code === 'recipe.parameters' && input !== film, String(error)).toBe(true);
      }
    }
  }), { numRuns: runs(300) });
});

test.for([
  ['mp4-h264', { height: 100 }, 'height'], ['mp4-h264', { height: 720.5 }, 'height'], ['mp4-h264', { crf: 'x' }, 'crf'], ['mp4-h264', { heigth: 720 }, 'its parameters'],
  ['mp4-h264', { preset: 'placebo' }, 'preset'], ['audio-opus', { bitrate_kbps: 1_000 }, 'bitrate_kbps'], ['hls-ladder', { heights: '720,480' }, 'heights'], ['hls-ladder', { heights: '100' }, 'heights'],
  ['hls-ladder', { heights: '720;x' }, 'heights'], ['probe', { x: 1 }, 'its parameters'], ['probe', null, 'its parameters'],
] as const)('%s refuses %j and names the parameter', ([recipe, parameters, named]) => {
  expect(() => findRecipe(recipe).outputs(parameters)).toThrow(`The recipe ${recipe} refuses ${named}`);
});

test('a recipe without anything to work on says which one to use', () => {
  expect(() => findRecipe('mp4-h264').plan({}, sound)).toThrow('needs video, and this input has none. For sound alone use audio-opus.');
  expect(() => findRecipe('hls-ladder').plan({}, sound)).toThrow('needs video');
  expect(() => findRecipe('audio-opus').plan({}, silent)).toThrow('needs audio');
});

test('recipes are listed with JSON Schema, and an unknown one is refused with the names', () => {
  for (const recipe of recipes) expect(RecipeMessage.safeParse(recipe.message).success).toBe(true);
  expect(findRecipe('mp4-h264').message.parameters).toMatchObject({ properties: { height: { minimum: 144, maximum: 2_160, default: 720 }, crf: { default: 23 } }, additionalProperties: false });
  expect(findRecipe('probe').plan({}, film)).toEqual({ arguments: [], outputs: [], durationSeconds: 3 });
  expect(() => findRecipe('mp3')).toThrow('there are probe, mp4-h264, audio-opus, hls-ladder');
});
