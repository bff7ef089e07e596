import { expect, it } from 'vitest';
import { formatBytes, formatCount, formatRate, formatSeconds } from './amounts.ts';

it('shows amounts as one reads them', () => {
  expect([0, 999_999, 1_234_567, 2.5].map(formatCount)).toEqual(['0', '999,999', '1.23M', '2.5']);
  expect([0, 0.04, 2.25, 12.6, 9_999, 123_456].map(formatRate)).toEqual(['0', '0', '2.3', '13', '9,999', '123K']);
  expect([0, 0.5, 1023, 1024, 15_000, 3 << 20, 2 ** 62].map(formatBytes)).toEqual(['0 B', '1 B', '1023 B', '1.0 KiB', '15 KiB', '3.0 MiB', '4194304 TiB']);
  expect([0, 3.2e-5, 1.5e-3, 0.065, 1, 12.4].map(formatSeconds)).toEqual(['0 µs', '32 µs', '1.5 ms', '65 ms', '1 s', '12 s']);
});
