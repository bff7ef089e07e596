// wanted.ts: what someone asked for in this browser, besides the colours: off until it is said.

export type Want = 'sound' | 'desktop';
const key = (want: Want) => `millstream.${want}`;

export function wanted(want: Want): boolean {
  try {
    return localStorage.getItem(key(want)) === '1';
  } catch {
    return false;  // storage may be forbidden
  }
}

export function setWanted(want: Want, on: boolean): void {
  try {
    if (on) localStorage.setItem(key(want), '1');
    else localStorage.removeItem(key(want));
  } catch {
    // The choice then lasts as long as the page.
  }
}
