/** What can be done in a page with bytes of a content type. */
import type { IconName } from './ui/icon.tsx';

export type MediaKind = 'video' | 'audio' | 'image' | 'file';

export function mediaKind(contentType: string): MediaKind {
  const family = contentType.split('/')[0];
  if (family === 'video' || family === 'audio') return family;
  // An SVG is a document that can hold script; the server never serves it as an image.
  return family === 'image' && !contentType.startsWith('image/svg') ? 'image' : 'file';
}

export const kindIcon: Readonly<Record<MediaKind, IconName>> = { video: 'video', audio: 'audio', image: 'image', file: 'file' };

export const kindName: Readonly<Record<MediaKind, string>> = { video: 'Video', audio: 'Audio', image: 'Image', file: 'File' };
