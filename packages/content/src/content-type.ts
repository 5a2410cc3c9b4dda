/**
 * What a content is by its first bytes: a short table of media and documents that browsers show without running anything.
 * Markup and scripts are never named as such, whatever they look like: they are plain text or unnamed bytes.
 */

/** Bytes that are looked at, at most. */
export const sniffedSize = 4_096;
export const unknownType = 'application/octet-stream';

/** The media type of a content that begins with `head`, which is at most `sniffedSize` bytes of it. */
export function sniffContentType(head: Uint8Array): string {
  const bytes = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, sniffedSize));
  for (const [type, matches] of signatures) if (matches(bytes)) return type;
  return isoMedia(bytes) ?? matroska(bytes) ?? ogg(bytes) ?? (isText(bytes) ? 'text/plain; charset=utf-8' : unknownType);
}

const starts = (...prefix: number[]) => (bytes: Buffer): boolean => bytes.subarray(0, prefix.length).equals(Uint8Array.from(prefix));
const startsText = (prefix: string) => (bytes: Buffer): boolean => textAt(bytes, 0, prefix.length) === prefix;
const riff = (form: string) => (bytes: Buffer): boolean => textAt(bytes, 0, 4) === 'RIFF' && textAt(bytes, 8, 12) === form;
const textAt = (bytes: Buffer, start: number, end: number): string => bytes.toString('latin1', start, end);

const signatures: readonly (readonly [type: string, matches: (bytes: Buffer) => boolean])[] = [
  ['image/png', starts(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)],
  ['image/jpeg', starts(0xff, 0xd8, 0xff)],
  ['image/gif', startsText('GIF87a')],
  ['image/gif', startsText('GIF89a')],
  ['image/webp', riff('WEBP')],
  ['audio/wav', riff('WAVE')],
  ['audio/flac', startsText('fLaC')],
  ['audio/mpeg', startsText('ID3')],
  ['audio/mpeg', isMp3],
  ['video/mp2t', isTransportStream],
  ['application/pdf', startsText('%PDF-')],
];

/** ISO base media (ISO/IEC 14496-12): only brands of audio and video; a still image in this container stays unnamed. */
function isoMedia(bytes: Buffer): string | undefined {
  if (textAt(bytes, 4, 8) !== 'ftyp') return undefined;
  const brand = textAt(bytes, 8, 12);
  if (brand === 'qt  ') return 'video/quicktime';
  if (brand === 'M4A ' || brand === 'M4B ') return 'audio/mp4';
  return /^(?:isom|iso[2-9]|mp4[12]|avc1|dash|cmfc|M4V |M4VH|M4VP|MSNV|f4v |3gp.|3g2.)$/.test(brand) ? 'video/mp4' : undefined;
}

/** EBML (RFC 8794): the DocType element, within the header at the front, tells WebM from Matroska. */
function matroska(bytes: Buffer): string | undefined {
  if (!starts(0x1a, 0x45, 0xdf, 0xa3)(bytes)) return undefined;
  const header = textAt(bytes, 4, 80);
  if (header.includes('\x42\x82\x84webm')) return 'video/webm';
  return header.includes('\x42\x82\x88matroska') ? 'video/x-matroska' : undefined;
}

/** Ogg (RFC 3533): the first page carries the first packet of a codec. */
function ogg(bytes: Buffer): string | undefined {
  if (textAt(bytes, 0, 4) !== 'OggS') return undefined;
  const packet = textAt(bytes, 27 + 1, 27 + 1 + 8);
  if (packet.startsWith('\x80theora')) return 'video/ogg';
  return packet === 'OpusHead' || packet.startsWith('\x01vorbis') || packet.startsWith('\x7fFLAC') || packet === 'Speex   ' ? 'audio/ogg' : undefined;
}

/** Two MPEG audio layer III frames in a row (ISO/IEC 11172-3 §2.4): one sync word alone is too common in other data. */
function isMp3(bytes: Buffer): boolean {
  const length = mp3FrameLength(bytes, 0);
  return length !== undefined && mp3FrameLength(bytes, length) !== undefined;
}

const bitRatesV1 = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const bitRatesV2 = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
const sampleRates = [44_100, 48_000, 32_000];

function mp3FrameLength(bytes: Buffer, at: number): number | undefined {
  if (at + 4 > bytes.length) return undefined;
  const header = bytes.readUInt32BE(at);
  const version = (header >>> 19) & 3;
  const layer = (header >>> 17) & 3;
  if (header >>> 21 !== 0x7ff || version === 1 || layer !== 1) return undefined;
  const bitRate = (version === 3 ? bitRatesV1 : bitRatesV2)[(header >>> 12) & 15];
  const sampleRate = sampleRates[(header >>> 10) & 3];
  if (bitRate === undefined || bitRate === 0 || sampleRate === undefined) return undefined;
  const halvings = version === 3 ? 1 : version === 2 ? 2 : 4;
  const padding = (header >>> 9) & 1;
  return Math.floor(((version === 3 ? 144 : 72) * bitRate * 1_000) / (sampleRate / halvings)) + padding;
}

/** MPEG transport stream (ISO/IEC 13818-1): three packets of 188 bytes, each with its sync byte. */
function isTransportStream(bytes: Buffer): boolean {
  return [0, 188, 376].every((at) => bytes[at] === 0x47);
}

/** UTF-8 without control characters; a character cut off by the end of the head is no fault. */
function isText(bytes: Buffer): boolean {
  if (bytes.length === 0) return false;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: bytes.length === sniffedSize });
    // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
    return !/[\0-\x08\x0b\x0e-\x1f\x7f]/.test(text);
  } catch {
    return false;
  }
}
