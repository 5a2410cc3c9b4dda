/** That a file is probed in the jail, and that only a well-formed answer of ffprobe is believed. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WeirError } from '@weir/contracts/errors';
import { Probe } from '@weir/contracts/jobs';
import { parseProbe, probeFile } from '../src/worker/probe.ts';
import { jailOf, makeMedia, privateInput, runs, temporaryDirectory, tools } from './jail-support.ts';

const signal = new AbortController().signal;

test('a film with its index at the end is probed by its private descriptor', async () => {
  await using directory = await temporaryDirectory();
  makeMedia(`${directory.path}/a.mp4`, 2);
  await using input = await privateInput(directory.path, `${directory.path}/a.mp4`);
  const probe = await probeFile({ jail: await jailOf('bubblewrap'), ffprobe: tools.ffprobe, input: input.fd, signal });
  expect(probe).toMatchObject({
    format: expect.stringContaining('mp4'), duration_seconds: expect.closeTo(2, 0),
    streams: [{ kind: 'video', codec: 'h264', width: 320, height: 180, frame_rate: 30 }, { kind: 'audio', codec: 'aac', sample_rate: 48_000, channels: 2 }],
  });
});

test.for([['text', 'Dear Sir or Madam,\n'.repeat(100)], ['nothing', ''], ['a playlist named as a film', '#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n']] as const)('%s can not be read, in words that name no path', async ([, content]) => {
  await using directory = await temporaryDirectory();
  await using input = await privateInput(directory.path, Buffer.from(content));
  const error: unknown = await probeFile({ jail: await jailOf('bubblewrap'), ffprobe: tools.ffprobe, input: input.fd, signal }).catch((cause: unknown) => cause);
  expect(error).toMatchObject({ code: 'job.failed', message: expect.stringContaining('ffprobe can not read this file') });
  expect(String(error)).not.toContain('/proc');
});

test('a canceled probe throws the reason', async () => {
  await using directory = await temporaryDirectory();
  await using input = await privateInput(directory.path, Buffer.from('x'));
  const jail = await jailOf('bubblewrap');
  await expect(probeFile({ jail, ffprobe: tools.ffprobe, input: input.fd, signal: AbortSignal.abort(new Error('no more')) })).rejects.toThrow('no more');
});

test('a cover is an attachment, and unknown numbers are left out', () => {
  expect(parseProbe(JSON.stringify({
    streams: [
      { codec_type: 'audio', codec_name: 'mp3', sample_rate: '44100', channels: 2, disposition: { attached_pic: 0 }, new_key: 1 },
      { codec_type: 'video', codec_name: 'mjpeg', width: 500, height: 500, avg_frame_rate: '0/0', disposition: { attached_pic: 1 } },
      { codec_type: 'video', codec_name: 'h264', width: 0, height: 0, avg_frame_rate: '0/0' }, { codec_type: 'new' },
    ],
    format: { format_name: 'mp3', duration: '12.5', bit_rate: '128000' },
  }))).toEqual({
    format: 'mp3', duration_seconds: 12.5, bit_rate: 128_000,
    streams: [{ kind: 'audio', codec: 'mp3', sample_rate: 44_100, channels: 2 }, { kind: 'attachment', codec: 'mjpeg' }, { kind: 'video', codec: 'h264' }, { kind: 'data', codec: 'unknown' }],
  });
});

test('any text is a valid probe or refused', () => {
  const number = fc.oneof(fc.string(), fc.double(), fc.constantFrom('1', '1/0', '30/1', '1e9', '-1', null));
  const stream = fc.record({ codec_type: fc.constantFrom('video', 'audio', 'x'), codec_name: fc.string(), width: number, avg_frame_rate: number, sample_rate: number, channels: number }, { requiredKeys: [] });
  const answer = fc.record({ streams: fc.array(stream, { maxLength: 70 }), format: fc.record({ format_name: fc.string(), duration: number, bit_rate: number }, { requiredKeys: [] }) }, { requiredKeys: [] });
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json(), answer.map((value) => JSON.stringify(value))), (text) => {
    try {
      expect(Probe.safeParse(parseProbe(text)).success).toBe(true);
    } catch (error) {
      expect(error instanceof WeirError && error.code === 'job.failed').toBe(true);
    }
  }), { numRuns: runs(1_000) });
});
