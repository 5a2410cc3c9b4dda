/** The key of a principal, shown this once, and how its owner uses it. */
import { CopyBlock } from '../../ui/copy.tsx';
import { ShownOnce } from '../shown-once.tsx';

export function KeyShown({ title, principal, secret, onClose }: Readonly<{ title: string; principal: string; secret: string; onClose: () => void }>) {
  return (
    <ShownOnce
      title={title} what="key" secret={secret} onClose={onClose}
      warning="This key signs requests as this principal, and can not be shown again. Hand it over where nobody else reads it; who signs in by a browser does not need it."
    >
      <h3 className="mt-4 mb-1.5 text-sm font-medium">To use it, kept in a file of mode 0600</h3>
      <CopyBlock text={`weir permissions --server ${location.origin} --as ${principal} --key-file ${principal}.key`} label="Command" />
    </ShownOnce>
  );
}
