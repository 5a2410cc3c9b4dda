/** Which descriptors a jailed process is born with. Its inputs have no names: they are open, already unlinked files. */

export const progressDescriptor = 3;
/** Read by bubblewrap and closed before the program starts. */
export const filterDescriptor = 4;
export const firstInputDescriptor = 5;

/** The path under which the jailed program opens input `index`, each time with its own position, so that it can seek. */
export function inputPath(index: number): string {
  return `/proc/self/fd/${firstInputDescriptor + index}`;
}
