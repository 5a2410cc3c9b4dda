/** Who uses the page and what they may do, for everything inside the shell. */
import type { Permissions } from '@weir/contracts/identity';
import { createContext, useContext } from 'react';
import type { output } from 'zod';

export type Caller = output<typeof Permissions>;

export const CallerContext = createContext<Caller>({ principal: null, role: 'none', permissions: {} });

export const useCaller = (): Caller => useContext(CallerContext);

/** Whether to offer an action; the server decides again when it is done. */
export function useMay(): (permission: string) => boolean {
  const { permissions } = useCaller();
  return (permission) => permissions[permission] === true;
}
