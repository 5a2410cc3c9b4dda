/** Builds the page for the strict Content-Security-Policy of the server: no inline script, no inline style, no polyfill that evaluates. */
import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

/** The theme that a person chose is applied by the script, so nothing may be painted before it has run. */
const paintAfterScript: Plugin = {
  name: 'paint-after-script',
  transformIndexHtml: { order: 'post', handler: (html) => html.replace('<script type="module"', '<script type="module" blocking="render"') },
};

export default defineConfig({
  plugins: [react(), tailwindcss(), paintAfterScript],
  build: {
    target: ['chrome123', 'firefox128', 'safari17.5'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 800,
    // Parts that are shared with pages loaded later would else run before `without-eval.ts`, which has to be first.
    rolldownOptions: { output: { strictExecutionOrder: true } },
  },
  server: { proxy: { '/api': 'http://127.0.0.1:4545', '/auth': 'http://127.0.0.1:4545' } },
  preview: { proxy: { '/api': 'http://127.0.0.1:4545', '/auth': 'http://127.0.0.1:4545' } },
});
