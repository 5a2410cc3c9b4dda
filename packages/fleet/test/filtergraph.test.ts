/** That the reader of filtergraphs reads as ffmpeg does, and that what it writes means the same. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { filters } from '../src/arguments/filters.ts';
import { ValueRefused } from '../src/arguments/refusal.ts';
import { vetEncoderParameters } from '../src/encoder-parameters.ts';
import { parseFilterArguments, parseFilterGraph, renderFilterGraph, vetFilterGraph, type FilterGraph } from '../src/filtergraph.ts';
import { runs } from './jail-support.ts';

function refused(work: () => unknown): string | null {
  try {
    work();
    return null;
  } catch (error) {
    if (error instanceof ValueRefused) return error.message;
    throw error;
  }
}

test('quotes and backslashes are read as the ffmpeg documentation says', () => {
  // The example of ffmpeg-filters, "Notes on filtergraph escaping": both levels over the text  this is a 'string': may contain one, or more, special characters
  const [[node] = []] = parseFilterGraph(String.raw`drawtext=text=this is a \\\'string\\\'\\: may contain one\, or more\, special characters`);
  expect(node?.arguments).toEqual([{ key: 'text', value: "this is a 'string': may contain one, or more, special characters" }]);
  expect(parseFilterArguments(String.raw`'a:b':c\:d:e=' f '`)).toEqual([{ key: null, value: 'a:b' }, { key: null, value: 'c:d' }, { key: 'e', value: ' f ' }]);
  expect(parseFilterArguments(' a  :  b ')).toEqual([{ key: null, value: 'a' }, { key: null, value: 'b' }]);
});

test('a graph with chains, labels and blanks is read whole', () => {
  expect(parseFilterGraph('[0:v] split=2 [a][b] ; [a]scale=640:-2,hflip [x];[b]null[y]').flat().map(({ inputs, name, outputs }) => [inputs, name, outputs])).toEqual([
    [['0:v'], 'split', ['a', 'b']], [['a'], 'scale', []], [[], 'hflip', ['x']], [['b'], 'null', ['y']],
  ]);
});

const text = fc.string({ maxLength: 20, unit: fc.constantFrom(...' abz09_=:,;[]\\\'"%()*+-./|&<>!?@#'.split('')) });
const graph: fc.Arbitrary<FilterGraph> = fc.array(fc.array(fc.record({
  inputs: fc.array(fc.constantFrom('a', '0:v', '1:a:2', 'x_1'), { maxLength: 3 }), name: fc.constantFrom('scale', 'null', 'pan'),
  arguments: fc.tuple(fc.array(text.filter((value) => !/^ *[A-Za-z0-9_/.-]+ *=/.test(value)), { maxLength: 3 }), fc.array(fc.tuple(fc.constantFrom('w', 'h', 'x'), text), { maxLength: 3 }))
    .map(([plain, named]) => [...plain.map((value) => ({ key: null, value })), ...named.map(([key, value]) => ({ key, value }))]),
  outputs: fc.array(fc.constantFrom('b', 'c2'), { maxLength: 3 }),
}), { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 });

test('what is written reads as what was meant, whatever characters the values hold', () => {
  fc.assert(fc.property(graph, (meant) => {
    const plain = meant.map((chain) => chain.map((node) => ({ ...node, arguments: node.arguments.filter(({ key, value }) => key !== null || value !== '') })));
    // An empty last value without a key can't be told from no value; such graphs are refused before they are written.
    expect(parseFilterGraph(renderFilterGraph(plain))).toEqual(plain);
  }), { numRuns: runs(3_000) });
});

test('writing is canonical: read and written once more it does not change', () => {
  const noise = fc.string({ maxLength: 60, unit: fc.constantFrom(...'[]\\\'=:,; aw1.'.split(''), 'scale', 'null', 'fps') });
  fc.assert(fc.property(noise, (anything) => {
    if (refused(() => vetFilterGraph(anything)) !== null) return;
    const once = vetFilterGraph(anything);
    expect(vetFilterGraph(once)).toBe(once);
  }), { numRuns: runs(5_000) });
});

test('any text is read or refused, never anything else', () => {
  fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), text), (anything) => void refused(() => vetFilterGraph(anything))), { numRuns: runs(5_000) });
});

test('no filter allows a key that names a file, an address, a device or a command', () => {
  const suspicious = /file|path|url|addr|command|plugin|model|device|script|^f$.*\//;
  for (const [name, { keys }] of filters) expect([...keys.keys()].filter((key) => suspicious.test(key)), name).toEqual([]);
  for (const name of ['movie', 'amovie', 'subtitles', 'ass', 'drawtext', 'lut3d', 'metadata', 'psnr', 'ssim', 'vmaf', 'sendcmd', 'zmq', 'ladspa', 'lv2', 'frei0r', 'curves', 'openclsrc', 'geq']) expect(filters.has(name)).toBe(false);
});

test.for([
  ['scale=w=-2:h=min(720\\,ih)', 'scale=w=-2:h=min(720\\,ih)'],
  ["scale='min(1280,iw)':-2", 'scale=min(1280\\,iw):-2'],
  ['  fps = 30 '.replaceAll(' = ', '='), 'fps=30'],
  ['pan=stereo|c0=FL|c1=FR', 'pan=stereo|c0=FL|c1=FR'],
  ["drawbox=t='2':color=red@0.5", 'drawbox=t=2:color=red@0.5'],
] as const)('%s is written as %s', ([given, written]) => expect(vetFilterGraph(given)).toBe(written));

test('encoder parameters are written with dashes and an explicit value', () => {
  expect(vetEncoderParameters('x264-params', 'keyint=48:min_keyint=24:no-scenecut')).toBe('keyint=48:min-keyint=24:no-scenecut=1');
  expect(vetEncoderParameters('x265-params', 'master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)'.replace('10000000', '1000000'))).toContain('G(13250,34500)');
});

test.for(['dump_yuv=x', 'dump-yuv=x', 'DUMP-YUV=x', 'stats=x', 'qpfile=x', 'cqmfile=x', 'tcfile-in=x', 'opencl-clbin=x', 'keyint=4:stats=x', "keyint='4'", 'keyint=4\\:stats=x', 'keyint=/etc', 'keyint==', '', ':', 'threads=65', 'no-stats'])(
  'encoder parameter %s is refused', (value) => expect(refused(() => vetEncoderParameters('x264-params', value))).not.toBeNull());

test('any encoder parameter string is refused or made of allowed keys alone', () => {
  const noise = fc.string({ maxLength: 60, unit: fc.constantFrom('keyint', 'dump_yuv', 'stats', 'no-', '_', '-', '=', ':', '1', 'a', '\\', "'", '/', ' ') });
  fc.assert(fc.property(noise, (anything) => {
    if (refused(() => vetEncoderParameters('x264-params', anything)) !== null) return;
    expect(vetEncoderParameters('x264-params', anything)).toMatch(/^((no-)?keyint=[A-Za-z0-9.,+()-]+)(:(no-)?keyint=[A-Za-z0-9.,+()-]+)*$/);
  }), { numRuns: runs(3_000) });
});
