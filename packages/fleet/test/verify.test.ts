/** That only plain files under declared names are collected, and that a wrong, cut or broken output is not published. */
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { expectedOfName } from '../src/recipes/custom.ts';
import type { ExpectedOutput } from '../src/recipes/recipe.ts';
import { collectOutputs } from '../src/worker/collect.ts';
import { playlistProblem, verifyOutputs } from '../src/worker/verify.ts';
import { jailOf, makeMedia, temporaryDirectory, tools } from './jail-support.ts';

const signal = new AbortController().signal;
const film: ExpectedOutput = { name: 'a.mp4', contentType: 'video/mp4', form: 'media', streams: [{ kind: 'video', codec: 'h264' }, { kind: 'audio', codec: 'aac' }], durationSeconds: 6 };

async function verified(make: (path: string) => void, expected: ExpectedOutput = film) {
  await using directory = await temporaryDirectory();
  make(`${directory.path}/${expected.name}`);
  await using collected = await collectOutputs(directory.path, [expected.name]);
  return await verifyOutputs({ jail: await jailOf('bubblewrap'), tools, outputs: collected.outputs, expected: [expected], signal });
}

test('an output as promised is verified with its probe', async () => {
  expect(await verified((path) => makeMedia(path, 6))).toMatchObject([{ name: 'a.mp4', contentType: 'video/mp4', probe: { streams: [{ codec: 'h264' }, { codec: 'aac' }] } }]);
});

test.for([
  ['shorter than its input', (path: string) => makeMedia(path, 4), 'it lasts 4.0'],
  ['of other codecs', (path: string) => makeMedia(path, 6, '-c:v', 'mpeg4', '-c:a', 'aac'), 'it holds video mpeg4, audio aac instead of'],
  ['without sound', (path: string) => makeMedia(path, 6, '-c:v', 'libx264', '-an'), 'it holds video h264 instead of'],
  ['no media', (path: string) => writeFileSync(path, 'x'.repeat(5_000)), 'ffprobe can not read this file'],
  ['damaged in the middle', damagedFilm, 'it does not decode'],
] as const)('an output %s is not published', { timeout: 60_000 }, async ([, make, message]) => {
  await expect(verified(make)).rejects.toThrow(message);
});

function damagedFilm(path: string): void {
  makeMedia(path, 6, '-c:v', 'libx264', '-preset', 'ultrafast', '-g', '30', '-pix_fmt', 'yuv420p', '-c:a', 'aac');
  const bytes = readFileSync(path);
  for (let at = Math.trunc(bytes.length * 0.3); at < bytes.length * 0.75; at += 1) bytes[at] = (at * 97) & 255;
  writeFileSync(path, bytes);
}

test('outputs of custom arguments are only asked to be media', async () => {
  const [png, vtt] = [expectedOfName('a.png'), expectedOfName('a.vtt')];
  expect(await verified((path) => execFileSync(tools.ffmpeg, ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc=s=64x64', '-frames:v', '1', '-update', '1', path]), png)).toMatchObject([{ contentType: 'image/png' }]);
  expect(await verified((path) => writeFileSync(path, 'WEBVTT\n\n00:00.000 --> 00:01.000\nhello\n'), vtt)).toMatchObject([{ contentType: 'text/vtt', probe: { streams: [{ kind: 'subtitle' }] } }]);
});

const plants: readonly (readonly [what: string, plant: (path: string) => void, message: string])[] = [
  ['a symbolic link', (path: string) => symlinkSync('/etc/passwd', path), 'is not a plain file'],
  ['a second name of a file', (path: string) => { writeFileSync(`${path}-other`, 'x'); linkSync(`${path}-other`, path); }, 'is not a plain file'],
  ['a pipe', (path: string) => void execFileSync('mkfifo', [path]), 'is not a plain file'],
  ['a folder', (path: string) => mkdirSync(path), 'is not a plain file'],
  ['an empty file', (path: string) => writeFileSync(path, ''), 'is empty'],
  ['nothing', () => undefined, 'was not written'],
];
test.for(plants)('%s under a declared name is not collected', async ([, plant, message]) => {
  await using directory = await temporaryDirectory();
  plant(`${directory.path}/a.mp4`);
  await expect(collectOutputs(directory.path, ['a.mp4'])).rejects.toThrow(message);
});

test('collected outputs have no name any more, and what nobody declared is reported', async () => {
  await using directory = await temporaryDirectory();
  for (const name of ['a.mp4', 'b.mp4', 'stray']) writeFileSync(`${directory.path}/${name}`, name);
  await using collected = await collectOutputs(directory.path, ['b.mp4', 'a.mp4']);
  expect(collected.outputs.map(({ name, size }) => [name, size])).toEqual([['b.mp4', 5], ['a.mp4', 5]]);
  expect(collected.extra).toEqual(['stray']);
  expect(readdirSync(directory.path)).toEqual(['stray']);
  expect(await collected.outputs[1]?.handle.readFile('utf8')).toBe('a.mp4');
});

const playlist = '#EXTM3U\n#EXT-X-MAP:URI="video.mp4",BYTERANGE="10@0"\n#EXTINF:4,\n#EXT-X-BYTERANGE:90@10\nvideo.mp4\n#EXT-X-ENDLIST\n';
test.for([
  [playlist, null], [playlist.replace('#EXTM3U\n', ''), 'it does not begin'], [playlist.replace('#EXT-X-ENDLIST\n', ''), 'it is not finished'],
  [playlist.replace('\nvideo.mp4', '\nhttps://elsewhere.example/x'), 'it leads to something'], [playlist.replace('URI="video.mp4"', 'URI="/etc/passwd"'), 'it leads to something'],
  ['#EXTM3U\n#EXT-X-ENDLIST\n', 'it has no segments'],
] as const)('playlist %j', ([text, problem]) => {
  const found = playlistProblem(text, ['video.m3u8', 'video.mp4']);
  if (problem === null) expect(found).toBeNull();
  else expect(found).toContain(problem);
});
