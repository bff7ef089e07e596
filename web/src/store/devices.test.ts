import { describe, expect, it } from 'vitest';
import { parseMessage, type DeviceStatusEvent, type Presence, type StreamEvent, type TelemetryEvent } from '../../sdk/index.ts';
import { goldenEvents } from '../../sdk/testing/golden.ts';
import type { DeviceAnswer } from '../api.ts';
import { groupBySite, orderDevices, type DeviceQuery } from './device_order.ts';
import { Devices } from './devices.ts';

const topicOf = (device: string, site = 's') => `account:1/site:${site}/device:${device}`;
const telemetry = (id: string, fields: TelemetryEvent['data']['fields'], device = 'd', site = 's'): TelemetryEvent =>
  ({ id, ts: '2026-01-27T12:34:56.789Z', topic: topicOf(device, site), type: 'telemetry', data: { deviceId: device, fields } });
const status = (id: string, to: Presence, device = 'd', lastSeen: string | null = null): DeviceStatusEvent => ({
  id, ts: '2026-01-27T12:34:56.789Z', topic: topicOf(device), type: 'device_status',
  data: { deviceId: device, status: to, reason: 'timeout', lastSeen },
});
const entry = (device: string, more: Partial<DeviceAnswer> = {}): DeviceAnswer => ({
  deviceId: device, siteId: 's', topic: topicOf(device), status: 'online', reason: 'data', lastSeen: null, ts: null,
  fields: {}, ...more,
});
const fieldsOf = (devices: Devices, device = 'd') =>
  Object.fromEntries([...devices.find(device)!.cells].map(([name, cell]) => [name, cell.value]));

describe('Devices', () => {
  it('merges fields, the newest id of each winning, in any order of arrival', () => {
    const updates = [
      telemetry('10-0', { a: 1, b: 1 }), telemetry('10-1', { a: 2 }), telemetry('11-0', { b: true }), telemetry('9-5', { a: 0, c: 'x' }),
    ];
    const orders = [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]];
    for (const order of orders) {
      const devices = new Devices();
      for (const i of order) devices.telemetry(updates[i]!);
      expect(fieldsOf(devices)).toEqual({ a: 2, b: true, c: 'x' });
      expect(devices.find('d')!.lastSeenMs).toBe(11);
    }
  });
  it('lets a REST answer replace what is older than it and keep what is newer, field by field', () => {
    const devices = new Devices();
    devices.telemetry(telemetry('10-0', { a: 'before', b: 'before' }));
    devices.telemetry(telemetry('30-0', { b: 'after' }));
    devices.status(status('30-0', 'stale'));
    devices.replace({ asOf: '20-0', devices: [entry('d', { fields: { a: 'answer', b: 'answer', c: 'answer' } })] });
    expect(fieldsOf(devices)).toEqual({ a: 'answer', b: 'after', c: 'answer' });
    expect(devices.find('d')!.status).toBe('stale');
    devices.replace({ asOf: '40-0', devices: [entry('d', { status: 'offline', fields: { b: 'later' } })] });
    expect(fieldsOf(devices)).toMatchObject({ b: 'later' });
    expect(devices.find('d')!.status).toBe('offline');
  });
  it('drops a device the answer does not name, unless it is newer than the answer', () => {
    const devices = new Devices();
    devices.telemetry(telemetry('10-0', { a: 1 }, 'gone'));
    devices.telemetry(telemetry('30-0', { a: 1 }, 'new'));
    devices.replace({ asOf: '20-0', devices: [entry('d')] });
    expect([...devices.byTopic.values()].map((device) => device.deviceId).sort()).toEqual(['d', 'new']);
  });
  it('follows status by id and counts it', () => {
    const devices = new Devices();
    devices.status(status('10-0', 'online', 'a'));
    devices.status(status('12-0', 'offline', 'a', '2026-01-27T12:24:56.789Z'));
    devices.status(status('11-0', 'stale', 'a'));
    devices.telemetry(telemetry('13-0', { x: 1 }, 'b'));
    expect(devices.find('a')!.status).toBe('offline');
    expect(devices.find('a')!.lastSeenMs).toBe(Date.parse('2026-01-27T12:24:56.789Z'));
    expect(devices.counts()).toEqual({ online: 0, stale: 0, offline: 1, unknown: 1 });
  });
  it('keeps devices of one name on two sites apart', () => {
    const devices = new Devices();
    devices.telemetry(telemetry('10-0', { a: 1 }, 'd', 's1'));
    devices.telemetry(telemetry('10-1', { a: 2 }, 'd', 's2'));
    expect(devices.find('d', 's2')!.value('a')).toBe(2);
    expect(devices.find('d')!.siteId).toBe('s1');
    expect(devices.find('d', 's3')).toBeUndefined();
  });
  it('changes its shape for rows and states, not for values', () => {
    const devices = new Devices();
    devices.telemetry(telemetry('10-0', { a: 1 }));
    const { shape } = devices;
    devices.telemetry(telemetry('11-0', { a: 2 }));
    expect(devices.shape).toBe(shape);
    devices.status(status('12-0', 'online'));
    expect(devices.shape).toBeGreaterThan(shape);
  });
  it('takes the contract\'s samples and passes over events that are not about one device', () => {
    const devices = new Devices();
    for (const { text } of goldenEvents()) {
      const message = parseMessage(text)!;
      const event: StreamEvent = 'event' in message ? message.event : (undefined as never);
      if (event.type === 'telemetry') devices.telemetry(event);
      if (event.type === 'device_status') devices.status(event);
    }
    expect([...devices.byTopic.keys()]).toEqual(['account:123/site:1/device:elink-99']);
    expect(devices.find('elink-99')!.status).toBe('offline');
    expect(devices.find('elink-99')!.value('Температура °C')).toBe(21);
    expect(devices.telemetry({ ...telemetry('1-0', { a: 1 }), topic: 'account:1/site:2' })).toBeUndefined();
  });
});

describe('orderDevices', () => {
  const all: DeviceQuery = { search: '', status: 'all', sort: 'device', descending: false };
  const devices = new Devices();
  devices.replace({
    asOf: '20-0',
    devices: [
      entry('d10', { status: 'offline', lastSeen: '2026-01-27T12:00:00Z' }),
      entry('d9', { siteId: 'roof', topic: topicOf('d9', 'roof'), lastSeen: '2026-01-27T12:00:09Z', fields: { Pressure: 1 } }),
      entry('d2', { status: 'stale', lastSeen: '2026-01-27T12:00:02Z' }),
      entry('a', { status: 'unknown' }),
    ],
  });
  const order = (change: Partial<DeviceQuery>) =>
    orderDevices(devices.byTopic.values(), { ...all, ...change }).map((device) => device.deviceId);

  it('sorts names with their numbers as numbers', () => {
    expect(order({})).toEqual(['a', 'd2', 'd9', 'd10']);
    expect(order({ descending: true })).toEqual(['d10', 'd9', 'd2', 'a']);
  });
  it('puts trouble first when sorted by status, and the latest when by last seen', () => {
    expect(order({ sort: 'status' })).toEqual(['d10', 'd2', 'a', 'd9']);
    expect(order({ sort: 'lastSeen' })).toEqual(['d9', 'd2', 'd10', 'a']);
  });
  it('finds by every word, in name, site or field name, without case', () => {
    expect(order({ search: ' ROOF press ' })).toEqual(['d9']);
    expect(order({ search: 'd press' })).toEqual(['d9']);
    expect(order({ search: 'nothing' })).toEqual([]);
  });
  it('keeps to one status', () => { expect(order({ status: 'stale' })).toEqual(['d2']); });
});

describe('what is known of a value', () => {
  const cell = (devices: Devices, field = 'a') => devices.find('d')!.cells.get(field)!;
  const tagged = (tags: Record<string, string>) => {
    const event = telemetry('10-0', { a: 1, b: 2 });
    return { ...event, data: { ...event.data, tags } };
  };
  it('is the unit that a tag says, live or from the list', () => {
    const devices = new Devices();
    devices.telemetry(tagged({ 'unit.a': '°C', 'unit.none': 'm', model: 'x' }));
    expect([cell(devices).unit, cell(devices, 'b').unit]).toEqual(['°C', undefined]);
    devices.replace({ asOf: '20-0', devices: [entry('d', { fields: { b: 2 }, tags: { 'unit.b': 'bar' } })] });
    expect([cell(devices).unit, cell(devices, 'b').unit]).toEqual(['°C', 'bar']);
  });
  it('is when it was measured, but not of a snapshot or the list, which do not say', () => {
    const devices = new Devices();
    devices.telemetry({ ...telemetry('10-0', { a: 1 }), snapshot: true });
    expect(cell(devices).tMs).toBeUndefined();
    devices.telemetry(telemetry('11-0', { a: 2 }));
    const tMs = Date.parse('2026-01-27T12:34:56.789Z');
    expect(cell(devices).tMs).toBe(tMs);
    devices.replace({ asOf: '20-0', devices: [entry('d', { fields: { a: 2 } })] });
    expect(cell(devices).tMs).toBe(tMs);
    devices.replace({ asOf: '21-0', devices: [entry('d', { fields: { a: 3 } })] });
    expect(cell(devices).tMs).toBeUndefined();
  });
  it('is the last numbers of the field that leads: the first, or the one that is wanted', () => {
    let wanted: string | undefined;
    const devices = new Devices(() => wanted);
    devices.telemetry(telemetry('10-0', { text: 'x', on: true, a: 1, b: 5 }));
    devices.telemetry(telemetry('11-0', { a: 2 }));
    const recent = cell(devices).recent!;
    expect([recent.at(0), recent.at(1), recent.size, cell(devices, 'b').recent]).toEqual([1, 2, 2, undefined]);
    wanted = 'b';
    devices.telemetry(telemetry('12-0', { b: 6 }));
    devices.telemetry({ ...telemetry('13-0', { b: 7 }), snapshot: true });
    expect([cell(devices, 'b').recent!.size, cell(devices, 'b').recent!.at(0)]).toEqual([1, 6]);
    expect([devices.find('d')!.leadField('text'), devices.find('d')!.leadField('on')]).toEqual(['a', 'on']);
  });
});

describe('groupBySite', () => {
  it('puts a row over the devices of each site, in the order of their names, and hides those of a closed one', () => {
    const devices = new Devices();
    for (const [name, site] of [['a', 'site-10'], ['b', 'site-2'], ['c', 'site-2']] as const) {
      devices.telemetry(telemetry('1-0', {}, name, site));
    }
    const order = orderDevices(devices.byTopic.values(), { search: '', status: 'all', sort: 'device', descending: true });
    const shown = (closed: string[], descending = false) => groupBySite(order, new Set(closed), descending)
      .map((row) => ('site' in row ? `${row.site} ${row.size} ${row.counts.unknown} ${row.closed}` : row.deviceId));
    expect(shown([])).toEqual(['site-2 2 2 false', 'c', 'b', 'site-10 1 1 false', 'a']);
    expect(shown(['site-2'], true)).toEqual(['site-10 1 1 false', 'a', 'site-2 2 2 true']);
  });
});
