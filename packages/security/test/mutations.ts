/** Hostile variants of well-formed texts, the same ones in every run, for the fuzz loops beside parsers. */

/** xorshift32: repeatable, and nothing that a test holds depends on its quality. */
function randomness(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const spice = ['', '\0', '"', '\\', '{', '}', '[', ']', ':', ';', ',', '.', '..', '=', '/', '%', '%00', '\n', ' ', '*', 'é', '\u{1F3AC}', '-1', '99999999999999999999', '__proto__', 'ÿ', '\ud800'];

/** `count` texts, each a sample with one to four pieces cut, doubled, swapped or spiced. */
export function* mutations(samples: readonly string[], count: number): Generator<string> {
  const random = randomness(0x5eed);
  for (let at = 0; at < count; at += 1) {
    let text = samples[random(samples.length)] ?? '';
    for (let change = random(4); change >= 0; change -= 1) {
      const from = random(text.length + 1);
      const to = Math.min(text.length, from + random(6));
      const piece = [spice[random(spice.length)] ?? '', text.slice(from, to).repeat(2), String.fromCharCode(random(256)), samples[random(samples.length)] ?? ''][random(4)] ?? '';
      text = text.slice(0, from) + piece + text.slice(to);
    }
    yield text;
  }
}
