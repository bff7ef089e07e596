// chart_marks.test.ts: the limits and alerts that belong to the chart of a field.

import { describe, expect, it } from 'vitest';
import type { AlertData } from '../../sdk/index.ts';
import { limitsOf, marksOf, type RuleAnswer } from './chart_marks.ts';

const rule = (more: Partial<RuleAnswer> = {}): RuleAnswer => ({
  id: 'hot', name: 'Hot', enabled: true, scope: {}, when: { all: [{ field: 'T1', fn: 'avg' }] },
  levels: [{ severity: 'critical', op: '>', value: 85 }, { severity: 'warning', op: '>', value: 70 }], ...more,
});
const alert = (more: Partial<AlertData> = {}): AlertData => ({
  alertId: 'a', ruleId: 'r', ruleName: 'R', deviceId: 'd', state: 'firing', severity: 'warning', message: '', field: 'T1',
  value: 90, threshold: 70, startedAt: '2026-01-27T12:00:00.000Z', ...more,
});
const heights = (rules: RuleAnswer[], field = 'T1', device = {}) => limitsOf(field, rules, device, []).map((limit) => limit.value);

describe('limitsOf', () => {
  it('are the levels of rules for the field, from below', () => {
    expect(limitsOf('T1', [rule()], {}, [])).toEqual([
      { value: 70, severity: 'warning', op: '>', name: 'Hot' }, { value: 85, severity: 'critical', op: '>', name: 'Hot' },
    ]);
    expect(heights([rule()], 'T2')).toEqual([]);
  });
  it('are none of rules that are off, for other tags, or measure something else than the field', () => {
    expect(heights([rule({ enabled: false })])).toEqual([]);
    expect(heights([rule({ when: { all: [{ field: 'T1', fn: 'rate' }] } })])).toEqual([]);
    expect(heights([rule({ scope: { tags: { model: 'x' } } })])).toEqual([]);
    expect(heights([rule({ scope: { tags: { model: 'x' } } })], 'T1', { tags: { model: 'x' } })).toEqual([70, 85]);
  });
  it('are not those of a guard', () => {
    const when = { all: [{ field: 'T1' }, { field: 'OPM', op: '>' }] };
    expect([heights([rule({ when })]), heights([rule({ when })], 'OPM')]).toEqual([[70, 85], []]);
  });
  it('may be two, a switch, or a number of the device', () => {
    const level = (value: unknown) => [rule({ levels: [{ severity: 'warning', op: 'outside', value }] })];
    expect(heights(level([5, 9]))).toEqual([5, 9]);
    expect(heights(level(true))).toEqual([1]);
    expect(heights(level('open'))).toEqual([]);
    expect(heights(level({ attr: 'most', default: 4 }))).toEqual([4]);
    expect(heights(level({ attr: 'most', default: 4 }), 'T1', { attributes: { most: 6 } })).toEqual([6]);
  });
  it('are also those of open alerts, once', () => {
    expect(limitsOf('T1', [rule()], {}, [alert(), alert({ threshold: 33, severity: 'info' }), alert({ field: 'x', threshold: 1 })])
      .map((limit) => limit.value)).toEqual([33, 70, 85]);
  });
});

describe('marksOf', () => {
  it('span from the beginning of an alert to its end, if it has one', () => {
    const start = Date.parse('2026-01-27T12:00:00.000Z');
    expect(marksOf('T1', [
      alert(), alert({ state: 'resolved', endedAt: '2026-01-27T12:00:09.000Z' }), alert({ field: 'x' }), alert({ startedAt: '?' }),
    ])).toEqual([
      { fromMs: start, toMs: undefined, severity: 'warning' }, { fromMs: start, toMs: start + 9_000, severity: 'warning' },
    ]);
  });
});
