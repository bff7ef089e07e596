import { expect, it } from 'vitest';
import { namesOf } from './names.ts';

it('takes names apart at commas, and leaves out what is empty', () => {
  expect(namesOf(' north, south ,,')).toEqual(['north', 'south']);
  expect(namesOf(' ')).toEqual([]);
});
