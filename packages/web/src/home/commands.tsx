/** The first three things to do from a terminal. */
import { useCaller } from '../caller.ts';
import { curlCommand, tokenCommand } from '../curl.ts';
import { CopyBlock } from '../ui/copy.tsx';
import { Section } from '../ui/page.tsx';

export function Commands({ cid }: Readonly<{ cid: string | undefined }>) {
  const { principal } = useCaller();
  const input = cid ?? 'CID';
  return (
    <Section title="From a terminal" className="min-w-0 self-start">
      <ol className="space-y-4">
        <li>
          <p className="mb-1.5 text-sm text-muted">Get a token for a program, on the machine that runs Weir</p>
          <CopyBlock text={tokenCommand(principal)} label="Command for a token" />
        </li>
        <li>
          <p className="mb-1.5 text-sm text-muted">Upload a file; the reply names its content id</p>
          <CopyBlock text={curlCommand(location.origin, { method: 'POST', path: '/api/v1/content', query: { filename: 'clip.mp4' }, file: { name: 'clip.mp4', contentType: 'video/mp4' } })} label="Command to upload" />
        </li>
        <li>
          <p className="mb-1.5 text-sm text-muted">{cid === undefined ? 'Transcode it on a worker' : 'Transcode the content above on a worker'}</p>
          <CopyBlock text={curlCommand(location.origin, { method: 'POST', path: '/api/v1/jobs', json: { recipe: 'mp4-h264', inputs: [{ cid: input }], parameters: { height: 360 } } })} label="Command to transcode" />
        </li>
      </ol>
    </Section>
  );
}
