/** `/access` alone leads to the first page that the caller sees something in. */
import { Navigate } from '@tanstack/react-router';
import { Nothing } from '../shell/not-found.tsx';
import { useAccessTabs } from './access-tabs.ts';

export function AccessIndex() {
  const [first] = useAccessTabs();
  return first === undefined ? <div className="card"><Nothing /></div> : <Navigate to={first.to} replace />;
}
