/** Tests that mutants of the security package have to fail: `npm run mutation` (outside CI; it takes long). */
import { defineConfig } from 'vitest/config';

export default defineConfig({ test: { include: ['packages/security/test/**/*.test.ts'], testTimeout: 30_000, isolate: false, env: { WEIR_TEST_SCALE: '0.05' } } });
