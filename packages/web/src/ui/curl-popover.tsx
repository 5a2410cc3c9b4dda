/** "Show as curl": the command that does what the page does. */
import { Popover } from '@base-ui/react/popover';
import { useCaller } from '../caller.ts';
import { curlCommand, tokenCommand, type CurlRequest } from '../curl.ts';
import { CopyBlock } from './copy.tsx';
import { Icon } from './icon.tsx';

export function CurlPopover({ request, what }: Readonly<{ request: CurlRequest; what: string }>) {
  const { principal } = useCaller();
  return (
    <Popover.Root>
      <Popover.Trigger
        aria-label={`Show as curl: ${what}`} title="Show as curl"
        className="inline-flex size-9 shrink-0 items-center justify-center rounded-[0.625rem] text-muted hover:bg-hover hover:text-ink data-popup-open:bg-hover data-popup-open:text-ink"
      >
        <Icon name="terminal" />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Positioner sideOffset={6} collisionPadding={12} className="z-50">
          <Popover.Popup className="popup w-[min(34rem,calc(100vw-1.5rem))] p-4">
            <Popover.Title className="text-sm font-semibold">{what}</Popover.Title>
            <Popover.Description className="mt-0.5 mb-3 text-[0.8125rem] text-muted">
              Set the token once: <code className="font-mono text-ink">{tokenCommand(principal)}</code>
            </Popover.Description>
            <CopyBlock text={curlCommand(location.origin, request)} label="Command" />
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  );
}
