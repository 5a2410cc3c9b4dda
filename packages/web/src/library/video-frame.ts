/** A still of a video, taken in the browser once and kept for the life of the tab. */
import * as content from '@weir/sdk/content';
import { useEffect, useState } from 'react';
import { api } from '../api.ts';

const width = 480;
const deadlineMs = 8_000;
const kept = new Map<string, string>();
/** One at a time: a browser has few connections to a server, and the pages need them. */
let queue: Promise<unknown> = Promise.resolve();

/** The address of the still, or null while there is none. */
export function useVideoFrame(cid: string, wanted: boolean): string | null {
  const [frame, setFrame] = useState(kept.get(cid) ?? null);
  useEffect(() => {
    if (!wanted || frame !== null) return undefined;
    let current = true;
    const taken = queue.then(async () => {
      if (!current) return;
      const address = kept.get(cid) ?? await takeFrame(content.url(api, cid));
      kept.set(cid, address);
      setFrame(address);
    });
    queue = taken.catch(() => undefined);    // a video that this browser can't show keeps its painted tile
    return () => { current = false; };
  }, [cid, wanted, frame]);
  return frame;
}

async function takeFrame(address: string): Promise<string> {
  const video = document.createElement('video');
  video.muted = true;
  video.preload = 'auto';
  const deadline = AbortSignal.timeout(deadlineMs);
  try {
    video.src = address;
    await once(video, 'loadedmetadata', deadline);
    video.currentTime = Math.min(3, video.duration / 3 || 0);
    await once(video, 'seeked', deadline);
    return URL.createObjectURL(await drawn(video));
  } finally {
    video.removeAttribute('src');
    video.load();
  }
}

async function drawn(video: HTMLVideoElement): Promise<Blob> {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = Math.round((width * video.videoHeight) / Math.max(1, video.videoWidth));
  canvas.getContext('2d')?.drawImage(video, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/webp', 0.8));
  if (blob === null) throw new DOMException('no picture', 'EncodingError');
  return blob;
}

function once(video: HTMLVideoElement, event: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { once: true, signal };
    video.addEventListener(event, () => resolve(), options);
    video.addEventListener('error', () => reject(new DOMException('cannot be shown', 'NotSupportedError')), options);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
