import { expect, it } from 'vitest';
import { kRecent, Recent } from './recent.ts';

it('keeps the newest, the oldest of them first', () => {
  const recent = new Recent();
  expect(recent.size).toBe(0);
  for (let i = 0; i < kRecent + 5; ++i) recent.add(i);
  expect([recent.size, recent.added, recent.at(0), recent.at(kRecent - 1)]).toEqual([kRecent, kRecent + 5, 5, kRecent + 4]);
});
