import { describe, expect, it } from 'vitest';
import { parseMessage, type AlertEvent, type AlertState, type Severity } from '../../sdk/index.ts';
import { goldenEvents } from '../../sdk/testing/golden.ts';
import { alertKey, Alerts, kAlertSpanMs } from './alerts.ts';
import { kToastsMax, Toasts } from './toasts.ts';

export const alertEvent = (id: string, alertId: string, state: AlertState, severity: Severity = 'warning'): AlertEvent => ({
  id, ts: new Date(Number(id.split('-')[0])).toISOString(), topic: 'account:1/site:2/device:d', type: 'alert',
  data: {
    alertId, ruleId: 'r', ruleName: 'Rule', deviceId: 'd', state, severity, message: 'm', field: 'T1', value: 1,
    threshold: 0, startedAt: '2026-01-27T12:34:56.789Z',
  },
});
const keyOf = (alertId: string) => alertKey(alertEvent('1-0', alertId, 'firing'));
const order = (alerts: Alerts) => alerts.list().map((alert) => alert.data.alertId);

describe('Alerts', () => {
  it('folds the events of one alert into one entry, by id, in any order of arrival', () => {
    const story = [alertEvent('1-0', 'a', 'firing'), alertEvent('2-0', 'a', 'updated', 'critical'), alertEvent('3-0', 'a', 'resolved')];
    for (const events of [story, [...story].reverse()]) {
      const alerts = new Alerts();
      for (const event of events) alerts.put(event);
      expect(alerts.list()).toHaveLength(1);
      expect(alerts.get(keyOf('a'))!.open).toBe(false);
      expect(alerts.openCount().all).toBe(0);
    }
  });
  it('lists open ones first, the most severe first, then the newest', () => {
    const alerts = new Alerts();
    alerts.put(alertEvent('1-0', 'over', 'firing', 'critical'));
    alerts.put(alertEvent('9-0', 'over', 'resolved', 'critical'));
    alerts.put(alertEvent('2-0', 'old warning', 'firing'));
    alerts.put(alertEvent('10-0', 'new warning', 'firing'));
    alerts.put(alertEvent('3-0', 'critical', 'firing', 'critical'));
    alerts.put(alertEvent('11-0', 'info', 'stale', 'info'));
    expect(order(alerts)).toEqual(['critical', 'new warning', 'old warning', 'info', 'over']);
    expect(alerts.openCount()).toEqual({ info: 1, warning: 2, critical: 1, all: 4, unacknowledged: 4 });
  });
  it('tells what a viewer should be told: newly open or worse, nothing else', () => {
    const alerts = new Alerts();
    const told = (event: AlertEvent) => alerts.put(event) !== undefined;
    expect(told(alertEvent('1-0', 'a', 'firing'))).toBe(true);
    expect(told(alertEvent('1-0', 'a', 'firing'))).toBe(false);
    expect(told(alertEvent('2-0', 'a', 'updated', 'critical'))).toBe(true);
    expect(told(alertEvent('3-0', 'a', 'updated', 'warning'))).toBe(false);
    expect(told(alertEvent('4-0', 'a', 'stale', 'warning'))).toBe(false);
    expect(told(alertEvent('5-0', 'a', 'resolved', 'warning'))).toBe(false);
    expect(told(alertEvent('4-5', 'a', 'firing', 'critical'))).toBe(false);
  });
  it('keeps an acknowledgement through later updates, also when the past is read newest first', () => {
    const story = [alertEvent('1-0', 'a', 'firing'), alertEvent('2-0', 'a', 'acknowledged'), alertEvent('3-0', 'a', 'updated')];
    for (const events of [story, [...story].reverse()]) {
      const alerts = new Alerts();
      for (const event of events) alerts.put(event);
      expect(alerts.get(keyOf('a'))).toMatchObject({ open: true, acknowledged: true });
      alerts.put(alertEvent('4-0', 'a', 'unacknowledged'));
      expect(alerts.get(keyOf('a'))!.acknowledged).toBe(false);
      expect(alerts.openCount().unacknowledged).toBe(1);
    }
  });
  it('keeps apart the alerts of two topics that bear one id, as publishers may name them', () => {
    const on = (topic: string, event: AlertEvent): AlertEvent => ({ ...event, topic });
    const [alerts, toasts] = [new Alerts(), new Toasts()];
    for (const [topic, id] of [['account:1/site:a', '1-0'], ['account:1/site:b', '2-0']] as const) {
      toasts.add(alerts.put(on(topic, alertEvent(id, 'scada:7', 'firing')))!, 0);
    }
    expect(alerts.openCount().all).toBe(2);
    expect(toasts.list).toHaveLength(2);
    alerts.put(on('account:1/site:a', alertEvent('3-0', 'scada:7', 'resolved')));
    toasts.advance(1, alerts);
    expect(alerts.list().map(({ topic, open }) => [topic, open])).toEqual([['account:1/site:b', true], ['account:1/site:a', false]]);
    expect(toasts.list.map(({ alert }) => alert.topic)).toEqual(['account:1/site:b']);
    alerts.replaceOpen([on('account:1/site:c', alertEvent('4-0', 'scada:7', 'firing'))], { ms: 20, seq: 0 });
    expect(alerts.list().filter(({ open }) => open).map(({ topic }) => topic)).toEqual(['account:1/site:c']);
  });
  it('forgets an open alert that the server no longer has open, but not one that came after', () => {
    const alerts = new Alerts();
    alerts.put(alertEvent('1-0', 'ended unseen', 'firing'));
    alerts.put(alertEvent('2-0', 'still open', 'firing'));
    alerts.put(alertEvent('30-0', 'newer', 'firing'));
    alerts.put(alertEvent('3-0', 'over', 'resolved'));
    alerts.replaceOpen([alertEvent('2-0', 'still open', 'firing'), alertEvent('4-0', 'missed', 'firing')], { ms: 20, seq: 0 });
    expect(order(alerts)).toEqual(['newer', 'missed', 'still open', 'over']);
  });
  it('lets go of what was resolved more than a day ago, never of what is open', () => {
    const alerts = new Alerts();
    alerts.put(alertEvent('1-0', 'open', 'firing'));
    alerts.put(alertEvent('1000-0', 'over', 'resolved'));
    alerts.prune(1000 + kAlertSpanMs);
    expect(order(alerts)).toEqual(['open', 'over']);
    alerts.prune(1001 + kAlertSpanMs);
    expect(order(alerts)).toEqual(['open']);
  });
  it('stays bounded in a storm by dropping the oldest that are over', () => {
    const alerts = new Alerts();
    alerts.put(alertEvent('1-0', 'open', 'firing'));
    for (let i = 0; i < 5_010; ++i) alerts.put(alertEvent(`${100 + i}-0`, `a${i}`, 'resolved'));
    alerts.prune(6_000);
    expect(alerts.list()).toHaveLength(5_000);
    expect(alerts.get(keyOf('open'))).toBeDefined();
    expect(alerts.get(keyOf('a10'))).toBeUndefined();
    expect(alerts.get(keyOf('a11'))).toBeDefined();
  });
  it('takes the contract\'s samples: fired, then resolved', () => {
    const alerts = new Alerts();
    for (const { text } of goldenEvents()) {
      const message = parseMessage(text)!;
      if ('event' in message && message.event.type === 'alert') alerts.put(message.event);
    }
    expect(alerts.list()).toMatchObject([{ open: false, data: { state: 'resolved', endedAt: '2026-01-27T12:35:56.789Z' } }]);
  });
});

describe('Toasts', () => {
  const put = (alerts: Alerts, toasts: Toasts, id: string, severity: Severity, nowMs: number) =>
    toasts.add(alerts.put(alertEvent(`${id}-0`, id, 'firing', severity))!, nowMs);
  const shown = (toasts: Toasts) => toasts.list.map((toast) => toast.alert.data.alertId);

  it('are never more than three; the critical stay, the rest is counted', () => {
    const [alerts, toasts] = [new Alerts(), new Toasts()];
    put(alerts, toasts, '1', 'critical', 0);
    for (const id of ['2', '3', '4', '5']) put(alerts, toasts, id, 'warning', 0);
    expect(toasts.list.length).toBe(kToastsMax);
    expect(shown(toasts)).toEqual(['1', '4', '5']);
    expect(toasts.more).toBe(2);
    for (const id of ['6', '7', '8']) put(alerts, toasts, id, 'critical', 0);
    expect(shown(toasts)).toEqual(['6', '7', '8']);
  });
  it('go after a while, the critical ones only when dismissed or over', () => {
    const [alerts, toasts] = [new Alerts(), new Toasts()];
    put(alerts, toasts, '1', 'critical', 0);
    put(alerts, toasts, '2', 'warning', 0);
    put(alerts, toasts, '3', 'critical', 0);
    toasts.advance(7_999, alerts);
    expect(shown(toasts)).toEqual(['1', '2', '3']);
    toasts.advance(8_000, alerts);
    expect(shown(toasts)).toEqual(['1', '3']);
    toasts.dismiss(keyOf('1'));
    alerts.put(alertEvent('9-0', '3', 'resolved', 'critical'));
    toasts.advance(8_001, alerts);
    expect(shown(toasts)).toEqual([]);
  });
});
