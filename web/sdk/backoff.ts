// backoff.ts: how long to wait before asking again.

// Full jitter: anywhere between nothing and the doubled step, so that many clients that lost the same server
// do not come back together. `attempt` counts from 0; gives milliseconds.
export function fullJitterMs(attempt: number, baseMs: number, capMs: number, random: () => number): number {
  return Math.round(random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30)));
}
