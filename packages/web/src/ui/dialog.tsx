/** Dialogs: one that holds a form, one that asks before something that can't be undone. */
import { AlertDialog } from '@base-ui/react/alert-dialog';
import { Dialog as BaseDialog } from '@base-ui/react/dialog';
import type { ReactNode } from 'react';
import { Button, buttonClass } from './button.tsx';
import { Icon } from './icon.tsx';

const frame = 'popup fixed top-1/2 left-1/2 z-50 max-h-[calc(100dvh-2rem)] w-[min(34rem,calc(100vw-1.5rem))] -translate-x-1/2 -translate-y-1/2 overflow-y-auto p-5 sm:p-6';

type DialogProps = Readonly<{ open: boolean; onClose: () => void; title: string; description?: string; staysOpen?: boolean; children: ReactNode }>;

/** `staysOpen`: a press beside it does not close it, because what it shows can not be had again. */
export function Dialog({ open, onClose, title, description, staysOpen = false, children }: DialogProps) {
  return (
    <BaseDialog.Root open={open} disablePointerDismissal={staysOpen} onOpenChange={(next) => { if (!next) onClose(); }}>
      <BaseDialog.Portal>
        <BaseDialog.Backdrop className="backdrop z-40" />
        <BaseDialog.Popup className={frame}>
          <div className="mb-4 flex items-start gap-3">
            <div className="min-w-0 flex-1">
              <BaseDialog.Title className="text-lg font-semibold tracking-tight">{title}</BaseDialog.Title>
              {description !== undefined && <BaseDialog.Description className="mt-1 text-sm text-muted">{description}</BaseDialog.Description>}
            </div>
            <BaseDialog.Close aria-label="Close" className={buttonClass('quiet', '-mt-1 -mr-2 size-9 min-h-0 px-0')}><Icon name="close" /></BaseDialog.Close>
          </div>
          {children}
        </BaseDialog.Popup>
      </BaseDialog.Portal>
    </BaseDialog.Root>
  );
}

type ConfirmProps = Readonly<{ open: boolean; onClose: () => void; onConfirm: () => void; title: string; description: string; confirm: string }>;

export function Confirm({ open, onClose, onConfirm, title, description, confirm }: ConfirmProps) {
  return (
    <AlertDialog.Root open={open} onOpenChange={(next) => { if (!next) onClose(); }}>
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className="backdrop z-40" />
        <AlertDialog.Popup className={frame}>
          <AlertDialog.Title className="text-lg font-semibold tracking-tight">{title}</AlertDialog.Title>
          <AlertDialog.Description className="mt-1.5 text-sm text-muted">{description}</AlertDialog.Description>
          <div className="mt-6 flex justify-end gap-2">
            <AlertDialog.Close className={buttonClass('plain')}>Keep it</AlertDialog.Close>
            <Button tone="danger" onClick={() => { onConfirm(); onClose(); }}>{confirm}</Button>
          </div>
        </AlertDialog.Popup>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
