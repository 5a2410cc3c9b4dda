/** What user bytes may be called on the wire: media and documents that run nothing; everything else is a download of unnamed bytes. */

/** Types that browsers show in place. Markup of any kind, scripts and SVG are not among them. */
const shown = /^(?:(?:video|audio)\/[a-z0-9.+-]+|image\/(?:png|jpeg|gif|webp|avif)|application\/(?:pdf|json|vnd\.apple\.mpegurl)|text\/(?:plain|vtt))(?:\s*;.*)?$/;

/** The Content-Type that is sent for a stored type. */
export const servedType = (type: string): string => (shown.test(type) ? type : 'application/octet-stream');

/** `Content-Disposition` (RFC 6266): in place for what is shown, a download otherwise; the name in ASCII and in UTF-8 (RFC 8187). */
export function safeDisposition(title: string, type: string): string {
  const name = title.replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '').replace(/[/\\]/g, '_').slice(0, 150) || 'content';
  const ascii = name.replace(/[^ !#-[\]-~]/g, '_');
  const encoded = encodeURIComponent(name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return `${shown.test(type) ? 'inline' : 'attachment'}; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}
