// Runs the wasm build's own check: what native and wasm must compute alike.
import { readFileSync } from "node:fs";

const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]), {});
const failed = instance.exports.tickwire_check();
console.log(failed === 0 ? "wasm agrees with the native build" : `wasm differs from the native build: check ${failed}`);
process.exit(failed === 0 ? 0 : 1);
