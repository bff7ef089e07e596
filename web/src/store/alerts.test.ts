import { describe, expect, test } from 'vitest';

import type { AlertData, AlertEvent } from '../../sdk/index.ts';
import { Alerts } from './alerts.ts';

function alert(alertId: string, id: string, state: AlertData['state'], severity: AlertData['severity'] = 'warning'): AlertEvent {
  return {
    id, ts: new Date(Number(id.split('-')[0])).toISOString(), topic: 'account:1/site:1/device:1', type: 'alert',
    data: { alertId, ruleId: 'r', ruleName: 'R', deviceId: '1', state, severity, message: 'm', field: 't', value: 1,
            threshold: 0, startedAt: '2026-01-01T00:00:00.000Z' },
  };
}

describe('Alerts', () => {
  test('one entry an alert; the newest event of it wins, whatever the order of arrival', () => {
    const alerts = new Alerts();
    expect(alerts.put(alert('a', '10-0', 'firing'))?.data.alertId).toBe('a');
    expect(alerts.put(alert('a', '12-0', 'resolved'))).toBeUndefined();
    expect(alerts.put(alert('a', '11-0', 'stale'))).toBeUndefined();
    expect(alerts.list()).toHaveLength(1);
    expect(alerts.get('a')?.open).toBe(false);
    expect(alerts.openCount().all).toBe(0);
  });

  test('open ones come first, then the severe, then the new', () => {
    const alerts = new Alerts();
    alerts.put(alert('old warning', '10-0', 'firing'));
    alerts.put(alert('critical', '11-0', 'firing', 'critical'));
    alerts.put(alert('new warning', '12-0', 'firing'));
    alerts.put(alert('done', '13-0', 'firing', 'critical'));
    alerts.put(alert('done', '14-0', 'resolved', 'critical'));
    expect(alerts.list().map((a) => a.data.alertId)).toEqual(['critical', 'new warning', 'old warning', 'done']);
  });

  test('resolved alerts leave after a day', () => {
    const alerts = new Alerts();
    alerts.put(alert('a', '1000-0', 'firing'));
    alerts.put(alert('a', '2000-0', 'resolved'));
    alerts.put(alert('open', '1000-1', 'firing'));
    alerts.prune(2000 + 24 * 3600 * 1000 + 1);
    expect(alerts.list().map((a) => a.data.alertId)).toEqual(['open']);
  });
});
