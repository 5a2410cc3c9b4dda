/** A field for the name of a principal; who may list them is offered the names. */
import { useInfiniteQuery } from '@tanstack/react-query';
import { useId, type ComponentProps } from 'react';
import { useMay } from '../caller.ts';
import { principalsQuery } from './queries.ts';

export function PersonInput(attributes: ComponentProps<'input'>) {
  const may = useMay();
  const listId = useId();
  const known = useInfiniteQuery({ ...principalsQuery, enabled: may('manage_users') });
  return (
    <>
      <input className="input" autoComplete="off" autoCapitalize="none" spellCheck={false} maxLength={70} list={listId} {...attributes} />
      <datalist id={listId}>{known.data?.pages.flatMap(({ items }) => items.map(({ principal }) => <option key={principal} value={principal} />))}</datalist>
    </>
  );
}
