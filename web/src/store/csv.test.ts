// csv.test.ts: tables of the server's, read back.

import { expect, it } from 'vitest';
import { parseCsv } from './csv.ts';

it('reads plain and quoted cells, of either line end, with and without a last one', () => {
  expect(parseCsv('a,b\r\n1,2\r\n')).toEqual([['a', 'b'], ['1', '2']]);
  expect(parseCsv('a,,c\n,\n')).toEqual([['a', '', 'c'], ['', '']]);
  expect(parseCsv('"x, ""y""\nz",2')).toEqual([['x, "y"\nz', '2']]);
  expect(parseCsv('')).toEqual([]);
  expect(parseCsv('a,')).toEqual([['a', '']]);
});
it('ends where it is no table any more', () => {
  expect(parseCsv('a,b\nc"d,e\nf,g')).toEqual([['a', 'b']]);
});
