import init, { play } from './demo.js';

const loading = document.getElementById('loading');
try {
  await init({ module_or_path: new URL('demo_bg.wasm', import.meta.url) });
  await play();
  loading.remove();
} catch (error) {
  // Without WebAssembly or WebGL there is nothing to see: say so where the player looks.
  loading.textContent = `The arena cannot be shown here: ${error?.message ?? error}`;
  throw error;
}
