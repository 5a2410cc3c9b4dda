/** A menu of actions behind a button. */
import { Menu as BaseMenu } from '@base-ui/react/menu';
import type { ReactElement } from 'react';
import { cx } from './class-names.ts';
import { Icon, type IconName } from './icon.tsx';

export type MenuAction = Readonly<{ key: string; label: string; description?: string; icon?: IconName; danger?: boolean; onSelect: () => void }>;

/** `trigger` is the button's element; its children stay its content. */
export function Menu({ trigger, actions }: Readonly<{ trigger: ReactElement; actions: readonly MenuAction[] }>) {
  return (
    <BaseMenu.Root>
      <BaseMenu.Trigger render={trigger} />
      <BaseMenu.Portal>
        <BaseMenu.Positioner sideOffset={6} align="end" collisionPadding={12} className="z-50 outline-none">
          <BaseMenu.Popup className="popup max-h-(--available-height) max-w-[calc(100vw-1.5rem)] min-w-52 overflow-y-auto p-1.5 outline-none">
            {actions.map((action) => (
              <BaseMenu.Item
                key={action.key} onClick={action.onSelect}
                className={cx('flex items-start gap-2.5 rounded-[0.625rem] px-2.5 py-2 text-sm outline-none data-highlighted:bg-hover', action.danger === true && 'text-danger')}
              >
                {action.icon !== undefined && <Icon name={action.icon} className="mt-px" />}
                <span className="min-w-0">
                  <span className="block font-medium">{action.label}</span>
                  {action.description !== undefined && <span className="block max-w-72 text-[0.8125rem] text-muted">{action.description}</span>}
                </span>
              </BaseMenu.Item>
            ))}
          </BaseMenu.Popup>
        </BaseMenu.Positioner>
      </BaseMenu.Portal>
    </BaseMenu.Root>
  );
}
