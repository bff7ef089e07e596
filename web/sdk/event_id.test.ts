import { describe, expect, it } from 'vitest';
import { compareEventIds, parseEventId } from './event_id.ts';

describe('EventId', () => {
  it('is ordered by time, then by sequence, as numbers', () => {
    const order = ['9-1', '10-0', '10-2', '10-10', '1769517296789-1048575', '1769517296790-0'];
    const mixed = [...order].reverse().map((text) => parseEventId(text)!);
    expect(mixed.sort(compareEventIds).map((id) => `${id.ms}-${id.seq}`)).toEqual(order);
  });
  it.each(['', '1', '1-', '-1', '01-0', '1-01', '1-2-3', ' 1-2', '1-2\n', '1.5-0', 'a-b', '99999999999999-0', null, 7])(
    'does not take %j for an id', (text) => { expect(parseEventId(text)).toBeUndefined(); });
});
