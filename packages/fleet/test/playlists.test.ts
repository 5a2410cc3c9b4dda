import { expect, test } from 'vitest';
import { linkNames } from '../src/coordinator/playlists.ts';

const names = new Map([['video.m4s', 'bafymedia'], ['init.mp4', 'bafyinit']]);

test('whole addresses of other outputs become content ids, in lines and in tags, and nothing else changes', () => {
  const playlist = '#EXTM3U\n#EXT-X-MAP:URI="video.m4s",BYTERANGE="800@0"\n#EXTINF:4,video.m4s\n#EXT-X-BYTERANGE:100@800\nvideo.m4s\nother-video.m4s\n#EXT-X-KEY:URI="x/video.m4s"\n';
  expect(linkNames(playlist, names)).toBe(
    '#EXTM3U\n#EXT-X-MAP:URI="bafymedia",BYTERANGE="800@0"\n#EXTINF:4,video.m4s\n#EXT-X-BYTERANGE:100@800\nbafymedia\nother-video.m4s\n#EXT-X-KEY:URI="x/video.m4s"\n');
});
