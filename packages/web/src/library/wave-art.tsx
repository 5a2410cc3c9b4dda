/** A picture for what has none: waves whose shape and colour follow from the content id, so that each is recognised again. */

export function WaveArt({ seed }: Readonly<{ seed: string }>) {
  const numbers = numbersFrom(seed);
  const hue = 165 + numbers(0, 50);
  return (
    <svg viewBox="0 0 160 90" preserveAspectRatio="none" aria-hidden="true" className="absolute inset-0 size-full">
      <rect width="160" height="90" fill={`hsl(${hue} 38% 30%)`} />
      {[0, 1, 2, 3].map((layer) => (
        <path key={layer} d={wave(22 + layer * 17, 4 + numbers(layer + 1, 9), numbers(layer + 5, 80))} fill={`hsl(${hue + layer * 5} ${46 - layer * 4}% ${37 - layer * 6}%)`} />
      ))}
    </svg>
  );
}

/** A wave line at height `y`, closed at the bottom. */
function wave(y: number, amplitude: number, shift: number): string {
  const start = -80 + shift - 40;
  const crests = Array.from({ length: 4 }, (_, index) => `q 20 ${index % 2 === 0 ? -2 * amplitude : 2 * amplitude} 40 0 t 40 0`).join(' ');
  return `M ${start} ${y} ${crests} V 90 H ${start} Z`;
}

/** Numbers below a limit from a text: FNV-1a, good enough for a picture. */
function numbersFrom(seed: string): (index: number, limit: number) => number {
  return (index, limit) => {
    let hash = 0x811c9dc5 ^ index;
    for (const character of seed) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
    return (hash >>> 0) % limit;
  };
}
