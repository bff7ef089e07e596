// chart_source.test.ts: several fields of a device, read together and kept up live; a span that is over; what comes meanwhile.

import { describe, expect, it } from 'vitest';
import type { TelemetryEvent } from '../../sdk/index.ts';
import type { Api, SeriesAnswer, SeriesQuery } from '../api.ts';
import { ChartSource } from './chart_source.ts';
import { Device } from './devices.ts';

const kNow = Date.parse('2026-01-27T12:00:00.500Z');
const device = new Device('account:1/site:s/device:d', 'd', 's');
const at = (t: number) => new Date(t).toISOString();
const event = (t: number, fields: TelemetryEvent['data']['fields']): TelemetryEvent =>
  ({ id: '1-0', ts: at(t), topic: device.topic, type: 'telemetry', data: { deviceId: 'd', fields } });

// The server's side: what was asked, and an answer to give.
function server() {
  const asked: SeriesQuery[] = [];
  let give: ((series: SeriesAnswer['series'] | undefined) => void) | undefined;
  const series = (query: SeriesQuery) => {
    asked.push(query);
    return new Promise<SeriesAnswer>((resolve, reject) => {
      give = (said) => (said ? resolve({
        deviceId: 'd', topic: device.topic, start: query.start, end: query.end, series: said, truncated: false,
        stepMs: Math.ceil((Date.parse(query.end) - Date.parse(query.start)) / query.points),
      }) : reject(new Error('no')));
    });
  };
  return { api: { series } as unknown as Api, asked, give: (said?: SeriesAnswer['series']) => give!(said) };
}
const bucket = (t: number, value: number) => ({ t: at(t), min: value, max: value, avg: value, last: value, count: 1 });
const values = (source: ChartSource, field: string) => source.of(field).newest(9).map((point) => point.avg);

describe('ChartSource', () => {
  it('reads its fields in one question and takes what came meanwhile, once', async () => {
    const { api, asked, give } = server();
    const source = new ChartSource(api, device, ['a', 'b'], '5m', () => {});
    const load = source.load(kNow);
    source.add(event(kNow - 2_400, { a: 1, b: 10 }));
    source.add(event(kNow, { a: 2, text: 'x' }));
    give({ a: [bucket(kNow - 2_500, 1)] });
    await load;
    expect(asked).toEqual([{ deviceId: 'd', siteId: 's', fields: 'a,b', start: at(kNow - 299_500), end: at(kNow + 500), points: 300 }]);
    expect([values(source, 'a'), values(source, 'b')]).toEqual([[2, 1], [10]]);
    source.add(event(kNow + 1_000, { b: true }));
    expect(values(source, 'b')).toEqual([1, 10]);
  });
  it('loses nothing that comes while it is read again, and nothing when that fails', async () => {
    const { api, give } = server();
    const source = new ChartSource(api, device, ['a'], '5m', () => {});
    let load = source.load(kNow);
    give({});
    await load;
    load = source.load(kNow);
    source.add(event(kNow, { a: 1 }));
    give({});
    await load;
    expect(values(source, 'a')).toEqual([1]);
    load = source.load(kNow);
    source.add(event(kNow + 1_000, { a: 2 }));
    give(undefined);
    await load;
    expect([values(source, 'a'), source.state, source.of('a').newest(1)[0]!.max]).toEqual([[2, 1], 'failed', 2]);
  });
  it('takes nothing while it is held', () => {
    const source = new ChartSource(server().api, device, ['a'], '5m', () => {});
    source.state = 'ready';
    source.held = true;
    source.add(event(kNow, { a: 1 }));
    expect(values(source, 'a')).toEqual([]);
  });
  it('asks for a span that is over in whole steps of it, and takes nothing live', async () => {
    const { api, asked, give } = server();
    const span = { fromMs: kNow - 59_900, toMs: kNow };
    const source = new ChartSource(api, device, ['a'], '5m', () => {}, span);
    const load = source.load(kNow + 99_000);
    give({ a: [] });
    await load;
    source.add(event(kNow - 10, { a: 1 }));
    expect(values(source, 'a')).toEqual([]);
    const { start, end, points } = asked[0]!;
    expect([Date.parse(start) % 100, Date.parse(end) % 100]).toEqual([0, 0]);
    expect((Date.parse(end) - Date.parse(start)) / points).toBe(100);
    expect(Date.parse(start)).toBeLessThanOrEqual(span.fromMs);
    expect(Date.parse(end)).toBeGreaterThanOrEqual(span.toMs);
  });
  it.each(['6h', '24h'] as const)('has steps of whole seconds over %s', (range) => {
    const { start, end, points } = new ChartSource(server().api, device, ['a'], range, () => {}).query(kNow);
    expect(((Date.parse(end) - Date.parse(start)) / points) % 1000).toBe(0);
  });
});
