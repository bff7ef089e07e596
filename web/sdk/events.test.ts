import { describe, expect, it } from 'vitest';
import { parseEventId } from './event_id.ts';
import { parseMessage } from './events.ts';
import { goldenEvents } from './testing/golden.ts';

describe('the contract\'s sample events', () => {
  const samples = goldenEvents();
  it('cover every type', () => {
    const types = new Set(samples.map(({ text }) => (JSON.parse(text) as { type: string }).type));
    expect([...types].sort()).toEqual(['alert', 'device_status', 'system', 'telemetry']);
  });
  it.each(samples)('$name is understood whole', ({ text }) => {
    const message = parseMessage(text);
    if (!message || !('event' in message)) throw new Error('not an event');
    expect(message.event).toEqual(JSON.parse(text));
    expect(parseEventId(message.event.id)).toBeDefined();
  });
});

describe('parseMessage', () => {
  it('tells a block about the stream from an event of the log', () => {
    const block = { ts: '2026-01-27T12:34:56.789Z', type: 'system', data: { kind: 'hello' } };
    expect(parseMessage(JSON.stringify(block))).toEqual({ block });
  });
  it.each([
    'not json', 'null', '[]', '{}', '{"type":"telemetry"}',
    '{"id":"1-0","ts":"x","topic":"t","type":"telemetry","data":{"deviceId":"d"}}',
    '{"id":"1-0","ts":"x","topic":"t","type":"alert","data":{"deviceId":"d"}}',
    '{"id":"1-0","ts":"x","topic":"t","type":"other","data":{"deviceId":"d"}}',
    '{"ts":"x","topic":"t","type":"telemetry","data":{"deviceId":"d","fields":{}}}',
    '{"ts":"x","type":"system","data":{}}',
  ])('refuses %s', (text) => { expect(parseMessage(text)).toBeUndefined(); });
});
