/** How many rounds a property or a loop takes: scaled down by default, up with WEIR_TEST_SCALE. */
export const runs = (n: number): number => Math.max(1, Math.round(n * Number(process.env['WEIR_TEST_SCALE'] ?? 1)));
