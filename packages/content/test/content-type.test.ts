/** First bytes name media; nothing that a browser would run is ever named. */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sniffContentType, sniffedSize } from '../src/content-type.ts';
import { runs } from './support.ts';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const oggPage = (packet: string): Buffer => Buffer.concat([latin1('OggS'), Buffer.alloc(22), Buffer.of(1, packet.length), latin1(packet)]);
const mp3 = (): Buffer => { const frames = Buffer.alloc(417 + 418); frames.set([0xff, 0xfb, 0x90, 0x00]); frames.set([0xff, 0xfb, 0x92, 0x00], 417); return frames; };
const transportStream = (): Buffer => { const packets = randomBytes(188 * 3); for (const at of [0, 188, 376]) packets[at] = 0x47; return packets; };
const box = (brand: string): Buffer => latin1(`\0\0\0\x20ftyp${brand}\0\0\0\0`);

test.each<[string, Buffer]>([
  ['video/mp4', box('isom')], ['video/mp4', box('mp42')], ['video/quicktime', box('qt  ')], ['audio/mp4', box('M4A ')],
  ['video/webm', latin1('\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm')], ['video/x-matroska', latin1('\x1a\x45\xdf\xa3\xa3\x42\x82\x88matroska')],
  ['audio/ogg', oggPage('OpusHead')], ['audio/ogg', oggPage('\x01vorbis')], ['video/ogg', oggPage('\x80theora')],
  ['audio/mpeg', latin1('ID3\x04\0\0')], ['audio/mpeg', mp3()], ['audio/flac', latin1('fLaC\0\0\0\x22')], ['audio/wav', latin1('RIFF\0\0\0\0WAVEfmt ')],
  ['image/png', latin1('\x89PNG\r\n\x1a\n')], ['image/jpeg', latin1('\xff\xd8\xff\xe0')], ['image/gif', latin1('GIF89a')], ['image/webp', latin1('RIFF\0\0\0\0WEBPVP8 ')],
  ['video/mp2t', transportStream()], ['application/pdf', latin1('%PDF-1.7')], ['text/plain; charset=utf-8', Buffer.from('Grüße, 世界\n')],
  ['application/octet-stream', Buffer.alloc(0)], ['application/octet-stream', latin1('\0\0\0\x20ftypavif')], ['application/octet-stream', latin1('\xff\xfb\x90')],
  ['application/octet-stream', latin1('caf\xe9')], ['application/octet-stream', latin1('OggS\0')], ['application/octet-stream', latin1('RIFF\0\0\0\0AVI ')],
])('%s', (type, bytes) => expect(sniffContentType(bytes)).toBe(type));

test('a character cut off by the end of the look is still text', () => {
  const text = Buffer.from(`a${'é'.repeat(sniffedSize)}`).subarray(0, sniffedSize);
  expect(sniffContentType(text)).toBe('text/plain; charset=utf-8');
});

test.each(['<!doctype html><script>alert(1)</script>', '<svg xmlns="http://www.w3.org/2000/svg"/>', '<?xml version="1.0"?>', '#!/bin/sh\n', 'alert(1)', '{"a":1}'])('%s is plain text at most', (text) => {
  for (const lead of ['', '\ufeff', '\n\n  ']) expect(sniffContentType(Buffer.from(lead + text))).toBe('text/plain; charset=utf-8');
});

test('any bytes have one of the listed types', () => {
  const known = /^(?:video\/(?:mp4|quicktime|webm|x-matroska|ogg|mp2t)|audio\/(?:mp4|ogg|mpeg|flac|wav)|image\/(?:png|jpeg|gif|webp)|application\/(?:pdf|octet-stream)|text\/plain; charset=utf-8)$/;
  const lead = fc.constantFrom('', 'OggS', '\x1a\x45\xdf\xa3', '\0\0\0\x18ftyp', 'RIFF', '\xff\xfb\x90\x00', '\x47');
  fc.assert(fc.property(lead, fc.uint8Array({ maxLength: 900 }), (start, rest) => {
    expect(sniffContentType(Buffer.concat([latin1(start), rest]))).toMatch(known);
  }), { numRuns: runs(1_000) });
});
