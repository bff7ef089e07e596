// golden.ts: the contract's samples, for tests: what the server writes byte for byte, this side must understand.

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

function read(folder: string, ending: string): { name: string; text: string }[] {
  const path = fileURLToPath(new URL(`../../../contract/${folder}/`, import.meta.url));
  return readdirSync(path).filter((name) => name.endsWith(ending)).sort()
    .map((name) => ({ name, text: readFileSync(path + name, 'utf8') }));
}

export const goldenEvents = (): { name: string; text: string }[] => read('events', '.json');
export const goldenFrames = (): { name: string; text: string }[] => read('frames', '.sse');
