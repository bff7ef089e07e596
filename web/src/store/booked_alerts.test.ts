import { describe, expect, it } from 'vitest';
import type { Severity } from '../../sdk/index.ts';
import { Alerts } from './alerts.ts';
import { alertEvent } from './alerts.test.ts';
import { BookedAlerts, chartSpan, matches, refOf, silencesOf, type AlertFilter, type BookedAlert } from './booked_alerts.ts';
import { parseSpan, topicWithin, type Silence } from './silences.ts';

const everything: AlertFilter = { severities: [], state: undefined, search: '' };
const booked = (alertId: string, severity: Severity, more: Partial<BookedAlert> = {}): BookedAlert => ({
  alertId, ruleId: 'r', ruleName: 'Rule', deviceId: 'd', state: 'firing', severity, message: `message of ${alertId}`, field: 'T1',
  value: 1, threshold: 0, startedAt: '2026-01-27T12:00:00.000Z', topic: 'account:1/site:2/device:d', open: true, stale: false,
  highestSeverity: severity, firstEvent: '100-0', lastEvent: '100-0', updatedAt: '2026-01-27T12:00:00.000Z', ...more,
});
const ids = (alerts: BookedAlerts, filter = everything) => alerts.list(filter, 0).map((alert) => alert.alertId);
const folded = (...events: ReturnType<typeof alertEvent>[]) => {
  const alerts = new Alerts();
  for (const event of events) alerts.put(event);
  return alerts.list();
};

describe('BookedAlerts', () => {
  it('lists open ones first, the most severe first, then the newest, and no longer what ended before the span', () => {
    const alerts = new BookedAlerts();
    alerts.put([
      booked('ended', 'critical', { open: false, state: 'resolved', endedAt: '2026-01-27T12:10:00.000Z' }),
      booked('old warning', 'warning', { lastEvent: '101-0' }), booked('warning', 'warning', { lastEvent: '102-0' }),
      booked('info', 'info', { lastEvent: '103-0' }), booked('critical', 'critical'),
    ]);
    expect(ids(alerts)).toEqual(['critical', 'warning', 'old warning', 'info', 'ended']);
    expect(alerts.list(everything, Date.parse('2026-01-27T12:10:00.001Z')).map((alert) => alert.alertId)).not.toContain('ended');
  });
  it('takes events newer than the book and no older ones, and keeps what events do not tell', () => {
    const alerts = new BookedAlerts();
    alerts.put([booked('a', 'warning', { highestSeverity: 'critical', stale: true, state: 'stale' })]);
    alerts.follow(folded(alertEvent('99-0', 'a', 'resolved')));
    expect(alerts.find('a')).toMatchObject({ open: true, stale: true });
    const ack = { by: 'user:anna', at: '2026-01-27T12:01:00.000Z', note: 'on my way' };
    const event = alertEvent('101-0', 'a', 'acknowledged');
    event.data.ack = ack;
    alerts.follow(folded(event));
    expect(alerts.find('a')).toMatchObject({ open: true, stale: true, highestSeverity: 'critical', ack, firstEvent: '100-0', lastEvent: '101-0' });
    alerts.follow(folded(alertEvent('102-0', 'a', 'resolved')));
    expect(alerts.find('a')).toMatchObject({ open: false, stale: false });
    expect(alerts.find('a')!.ack).toBeUndefined();
    alerts.put([booked('a', 'warning')]);
    expect(alerts.find('a')!.open).toBe(false);
  });
  it('knows an alert that the book has not told of yet, and drops one that ended unseen', () => {
    const alerts = new BookedAlerts();
    alerts.follow(folded(alertEvent('101-0', 'new', 'firing', 'critical'), alertEvent('300-0', 'newest', 'firing')));
    alerts.replaceOpen([booked('other', 'info', { lastEvent: '200-0' })], 250);
    expect(ids(alerts)).toEqual(['newest', 'other']);
  });
  it('names published alerts by their first event', () => {
    expect(refOf(booked('hot.d.1', 'info'))).toBe('hot.d.1');
    expect(refOf(booked('scada:1', 'info'))).toBe('100-0');
    const alerts = new BookedAlerts();
    alerts.put([booked('scada:1', 'info')]);
    expect(alerts.find('100-0')).toBe(alerts.find('scada:1'));
  });
  it('filters by severity, state and every word of the search', () => {
    const ack = { by: 'user:anna', at: '', note: '' };
    const quiet = booked('a', 'critical', { ack, deviceId: 'boiler-3', stale: true });
    const seen = (filter: Partial<AlertFilter>) => matches(quiet, { ...everything, ...filter });
    expect([seen({}), seen({ severities: ['critical', 'info'] }), seen({ severities: ['warning'] })]).toEqual([true, true, false]);
    expect([seen({ state: 'open' }), seen({ state: 'acknowledged' }), seen({ state: 'stale' })]).toEqual([true, true, true]);
    expect([seen({ state: 'unacknowledged' }), seen({ state: 'resolved' })]).toEqual([false, false]);
    expect(matches(booked('b', 'info', { open: false, ack }), { ...everything, state: 'acknowledged' })).toBe(false);
    expect([seen({ search: 'BOILER message' }), seen({ search: 'boiler gone' }), seen({ search: ' anna ' })]).toEqual([true, false, true]);
  });
  it('shows some time before and after, and nothing that is still to come', () => {
    const now = Date.parse('2026-01-27T13:00:00Z');
    expect(chartSpan(booked('a', 'info'), now)).toEqual({ startMs: Date.parse('2026-01-27T11:30:00Z'), endMs: now });
    const short = booked('a', 'info', { open: false, endedAt: '2026-01-27T12:01:00.000Z' });
    expect(chartSpan(short, now)).toEqual({ startMs: Date.parse('2026-01-27T11:55:00Z'), endMs: Date.parse('2026-01-27T12:06:00Z') });
  });
});

describe('silences', () => {
  it.each([
    ['account:1/site:2/device:d', true], ['account:1/site:2', true], ['account:1', true], ['account:1/site:*/device:d', true],
    ['account:1/site:*/device:e', false], ['account:1/site:22', false], ['account:*', true],
  ])('%s covers the device: %s', (pattern, within) => {
    expect(topicWithin('account:1/site:2/device:d', pattern)).toBe(within);
  });
  it('cover while they are in force, of their rules', () => {
    const silence: Silence = { id: 's', topic: 'account:1', rules: ['r'], startsAt: '2026-01-27T12:00:00Z', endsAt: '2026-01-27T13:00:00Z', active: true };
    const at = (time: string, alert = booked('a', 'info')) => silencesOf(alert, [silence], Date.parse(time)).length;
    expect([at('2026-01-27T11:59:59Z'), at('2026-01-27T12:00:00Z'), at('2026-01-27T13:00:00Z')]).toEqual([0, 1, 0]);
    expect(at('2026-01-27T12:30:00Z', booked('a', 'info', { ruleId: 'other' }))).toBe(0);
  });
  it.each([['90', 90], ['90m', 90], ['1h 30m', 90], ['1.5 h', 90], ['2 d', 2880], ['30s', 0.5], ['soon', undefined], ['', undefined], ['h', undefined]])(
    'reads %j as %j minutes', (said, minutes) => {
      expect(parseSpan(said)).toBe(minutes === undefined ? undefined : minutes * 60_000);
    });
});
