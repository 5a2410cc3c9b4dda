/** Short messages about what just happened. */
import { Toast } from '@base-ui/react/toast';
import type { ReactNode } from 'react';
import { cx } from './class-names.ts';
import { Icon } from './icon.tsx';
import { explain } from '../explain.ts';

const manager = Toast.createToastManager();

export const notify = (title: string, description?: string): void => {
  manager.add({ title, ...(description === undefined ? {} : { description }) });
};

/** Says what failed and what to do next. Stays longer and is announced at once. */
export const notifyFailure = (what: string, error: unknown): void => {
  manager.add({ title: what, description: explain(error), type: 'failure', timeout: 12_000, priority: 'high' });
};

export function ToastProvider({ children }: Readonly<{ children: ReactNode }>) {
  return (
    <Toast.Provider toastManager={manager} timeout={4_500}>
      {children}
      <Toast.Portal>
        <Toast.Viewport className="fixed right-3 bottom-[calc(4.75rem+env(safe-area-inset-bottom))] left-3 z-[60] flex flex-col gap-2 md:right-5 md:bottom-5 md:left-auto md:w-[23rem]">
          <Toasts />
        </Toast.Viewport>
      </Toast.Portal>
    </Toast.Provider>
  );
}

function Toasts() {
  const { toasts } = Toast.useToastManager();
  return toasts.map((toast) => (
    <Toast.Root
      key={toast.id} toast={toast}
      className="popup flex items-start gap-3 p-3.5 data-limited:hidden data-ending-style:translate-y-2 data-starting-style:translate-y-2"
    >
      <Icon name={toast.type === 'failure' ? 'warning' : 'check'} className={cx('mt-0.5', toast.type === 'failure' ? 'text-danger' : 'text-accent')} />
      <Toast.Content className="min-w-0 flex-1">
        <Toast.Title className="text-sm font-medium" />
        <Toast.Description className="mt-0.5 text-[0.8125rem] break-words text-muted" />
      </Toast.Content>
      <Toast.Close aria-label="Dismiss" className="-m-1 rounded-lg p-1 text-muted hover:text-ink"><Icon name="close" className="size-4" /></Toast.Close>
    </Toast.Root>
  ));
}
