// chart_marks.ts: what a chart shows besides its points: the limits that rules and open alerts have for its field, and when
// there were alerts.

import type { AlertData, Severity } from '../../sdk/index.ts';
import { parseTime } from '../format.ts';

// A rule as the server tells it, as far as a chart needs it.
export interface RuleAnswer {
  id: string;
  name: string;
  enabled: boolean;
  scope: { tags?: Record<string, string> };
  when: { all?: Condition[]; any?: Condition[] };
  levels: { severity: Severity; op?: string; value?: unknown }[];
}
interface Condition {
  field?: string;
  fn?: string;
  op?: string;
}
export interface Described {
  tags?: Record<string, string> | undefined;
  attributes?: Record<string, number> | undefined;
}

export interface Limit {
  value: number;
  severity: Severity;
  op: string;
  name: string;  // of the rule
}
export interface AlertMark {
  fromMs: number;
  toMs: number | undefined;  // undefined: it is open
  severity: Severity;
}

// Functions that give what the field itself measures, so that their limit is a height in its chart.
const kOfField = new Set(['last', 'avg', 'min', 'max', 'ewma']);

export function limitsOf(field: string, rules: RuleAnswer[], device: Described, alerts: AlertData[]): Limit[] {
  const limits: Limit[] = [];
  const put = (limit: Limit) => {
    if (!limits.some((l) => l.value === limit.value && l.severity === limit.severity && l.op === limit.op)) limits.push(limit);
  };
  for (const rule of rules) {
    if (!rule.enabled || !covers(rule, device) || !looksAt(rule, field)) continue;
    for (const { severity, op = '', value } of rule.levels) {
      for (const height of heights(value, device)) put({ value: height, severity, op, name: rule.name });
    }
  }
  for (const alert of alerts) {
    if (alert.field !== field || !Number.isFinite(alert.threshold)) continue;
    if (limits.some((limit) => limit.value === alert.threshold && limit.severity === alert.severity)) continue;
    put({ value: alert.threshold, severity: alert.severity, op: '', name: alert.ruleName });
  }
  return limits.sort((a, b) => a.value - b.value);
}

export function marksOf(field: string, alerts: AlertData[]): AlertMark[] {
  const marks: AlertMark[] = [];
  for (const alert of alerts) {
    const fromMs = parseTime(alert.startedAt);
    if (alert.field !== field || fromMs === undefined) continue;
    marks.push({ fromMs, toMs: alert.state === 'resolved' ? parseTime(alert.endedAt) ?? fromMs : undefined, severity: alert.severity });
  }
  return marks;
}

function covers(rule: RuleAnswer, { tags = {} }: Described): boolean {
  return Object.entries(rule.scope.tags ?? {}).every(([name, value]) => tags[name] === value);
}

// The levels are compared with the first condition, and with others that have no limit of their own.
function looksAt(rule: RuleAnswer, field: string): boolean {
  const conditions = rule.when.all ?? rule.when.any ?? [];
  return conditions.some((condition, i) =>
    condition.field === field && kOfField.has(condition.fn ?? 'last') && (i === 0 || condition.op === undefined));
}

function heights(value: unknown, { attributes = {} }: Described): number[] {
  if (typeof value === 'number') return [value];
  if (typeof value === 'boolean') return [Number(value)];
  if (Array.isArray(value)) return value.filter((part) => typeof part === 'number');
  if (typeof value !== 'object' || value === null) return [];
  const { attr, default: usual } = value as { attr?: string; default?: number };
  const height = (attr === undefined ? undefined : attributes[attr]) ?? usual;
  return typeof height === 'number' ? [height] : [];
}
