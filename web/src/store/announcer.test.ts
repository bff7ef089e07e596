// announcer.test.ts: new alerts are told together, a few singly and many as one.

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Alert } from './alerts.ts';
import { Announcer, kGatherMs, type Told } from './announcer.ts';

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

const alert = (id: string, severity = 'warning') =>
  ({ key: id, data: { alertId: id, deviceId: `device ${id}`, severity, message: `message ${id}`, ruleName: '' } }) as unknown as Alert;

function listen(): { told: [Told[], Alert[]][]; announcer: Announcer } {
  const told: [Told[], Alert[]][] = [];
  const words = { severity: { warning: 'Warning', critical: 'Critical' }, many: (count: number) => `${count} new` };
  return { told, announcer: new Announcer(words, (all, alerts) => told.push([all, alerts])) };
}

it('tells a few singly, after a moment', () => {
  const { told, announcer } = listen();
  announcer.add(alert('a'));
  announcer.add(alert('b', 'critical'));
  expect(told).toEqual([]);
  vi.advanceTimersByTime(kGatherMs);
  expect(told).toHaveLength(1);
  const [all, alerts] = told[0]!;
  expect(all.map(({ title, body, tag }) => [title, body, tag])).toEqual([
    ['Warning: device a', 'message a', 'a'], ['Critical: device b', 'message b', 'b'],
  ]);
  expect(alerts.map(({ key }) => key)).toEqual(['a', 'b']);
  announcer.add(alert('c'));
  vi.advanceTimersByTime(kGatherMs);
  expect(told[1]![1].map(({ key }) => key)).toEqual(['c']);
});
it('tells a storm as one', () => {
  const { told, announcer } = listen();
  for (let i = 0; i < 500; ++i) announcer.add(alert(String(i)));
  vi.advanceTimersByTime(10 * kGatherMs);
  expect(told.map(([all]) => all)).toEqual([[{ title: '500 new', body: 'message 0\nmessage 1\nmessage 2', tag: 'millstream' }]]);
  expect(told[0]![1]).toHaveLength(500);
});
it('is silent once it is stopped', () => {
  const { told, announcer } = listen();
  announcer.add(alert('a'));
  announcer.stop();
  vi.advanceTimersByTime(10 * kGatherMs);
  expect(told).toEqual([]);
});
