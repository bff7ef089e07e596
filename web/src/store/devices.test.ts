import { describe, expect, test } from 'vitest';

import type { TelemetryEvent } from '../../sdk/index.ts';
import { Devices } from './devices.ts';

function telemetry(id: string, fields: Record<string, number>): TelemetryEvent {
  return { id, ts: '2026-01-01T00:00:00.000Z', topic: 'account:1/site:s/device:d', type: 'telemetry', data: { deviceId: 'd', fields } };
}

describe('Devices', () => {
  test('the newest id of each field wins, whatever the order of arrival', () => {
    const devices = new Devices();
    devices.telemetry(telemetry('10-10', { a: 1, b: 1 }));
    devices.telemetry(telemetry('10-9', { a: 2, c: 2 }));
    const device = devices.byTopic.get('account:1/site:s/device:d')!;
    expect(device.value('a')).toBe(1);
    expect(device.value('b')).toBe(1);
    expect(device.value('c')).toBe(2);
    expect(device.siteId).toBe('s');
    expect(devices.size).toBe(1);
  });

  test('an older status does not replace a newer one', () => {
    const devices = new Devices();
    const device = devices.telemetry(telemetry('1-0', {}))!;
    device.putStatus('offline', 'timeout', { ms: 5, seq: 0 });
    device.putStatus('online', 'data', { ms: 4, seq: 9 });
    expect(device.status).toBe('offline');
  });
});
