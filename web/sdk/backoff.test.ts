import { describe, expect, it } from 'vitest';
import { fullJitterMs } from './backoff.ts';

describe('fullJitterMs', () => {
  it('doubles its upper end up to the cap and starts at nothing', () => {
    const most = [0, 1, 2, 3, 4, 5, 6, 40].map((attempt) => fullJitterMs(attempt, 1000, 30_000, () => 1));
    expect(most).toEqual([1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
    expect(fullJitterMs(5, 1000, 30_000, () => 0)).toBe(0);
    expect(fullJitterMs(2, 1000, 30_000, () => 0.25)).toBe(1000);
  });
});
