import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import * as everywhere from './index.ts';
import * as page from './page.ts';
import { FakeEventSource } from './testing/fake_event_source.ts';

beforeEach(() => {
  vi.useFakeTimers();
  FakeEventSource.opened = [];
});
afterEach(() => { vi.useRealTimers(); });

it('has the names of the other entry, whose types it is used with', () => {
  expect(Object.keys(page).sort()).toEqual(Object.keys(everywhere).sort());
});
it('turns a token into tickets, as it has no other way', async () => {
  const asked: string[] = [];
  const client: everywhere.MillstreamClient = new page.MillstreamClient({
    token: 'secret', eventSource: FakeEventSource,
    fetch: (async (url: string) => {
      asked.push(url);
      return new Response('{"ticket":"mt_1"}');
    }) as typeof fetch,
  });
  client.connect();
  await vi.advanceTimersByTimeAsync(0);
  client.close();
  expect(asked).toEqual(['/api/stream-token']);
  expect(FakeEventSource.last.url).toBe('/api/stream?ticket=mt_1');
});
