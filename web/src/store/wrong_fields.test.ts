import { expect, it } from 'vitest';
import { ApiError } from '../api.ts';
import { wrongsOf } from './wrong_fields.ts';

it.each([
  ['topics: "foo": segment 1 must start with "account:"', { topics: '"foo": segment 1 must start with "account:"' }],
  ['topic "account:other" is not allowed', { topics: 'topic "account:other" is not allowed' }],
  ['data.kind: missing', { data: 'data.kind: missing' }],
  ['too much is waiting', { '': 'too much is waiting' }],
  ['needs the role admin', { '': 'needs the role admin' }],
  ['constructor: x', { '': 'constructor: x' }],
])('finds the field of %j', (detail, wrongs) => {
  expect(wrongsOf(new ApiError(400, detail), ['topics', 'types', 'data'], 'no answer')).toEqual(wrongs);
});

it('takes what the server names by path, and says what never came', () => {
  const error = new ApiError(400, 'wrong', undefined, [{ path: 'name', reason: 'is needed' }, { path: 'x.y', reason: 'is odd' }]);
  expect(wrongsOf(error, ['name'], '')).toEqual({ name: 'is needed', '': 'x.y: is odd' });
  expect(wrongsOf(new TypeError('Failed to fetch'), ['name'], 'no answer')).toEqual({ '': 'no answer' });
});
