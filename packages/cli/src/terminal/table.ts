/** A table without lines, for lists on a terminal; the same text in a pipe, so that it can be searched. */
import Table from 'cli-table3';
import { printableLine } from './printable.ts';

const noLines = Object.fromEntries([
  'top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right', 'left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid',
].map((name) => [name, '']));

/** Cells are made printable here. */
export function tableText(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    head: [...head], chars: { ...noLines, middle: '  ' }, style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  });
  for (const row of rows) table.push(row.map((cell) => printableLine(cell, 120)));
  return table.toString().split('\n').map((line) => line.trimEnd()).join('\n');
}
