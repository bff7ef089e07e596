// format.ts: values and times as people read them.

import type { FieldValue } from '../sdk/index.ts';
import { text } from './text.ts';

const number = new Intl.NumberFormat('en', { maximumFractionDigits: 3, useGrouping: false });
const exponent = new Intl.NumberFormat('en', { maximumSignificantDigits: 4, notation: 'scientific' });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const clockShort = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const dayClock = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23',
});

export function formatNumber(value: number): string {
  const size = Math.abs(value);
  return size !== 0 && (size >= 1e9 || size < 1e-3) ? exponent.format(value) : number.format(value);
}

export function formatValue(value: FieldValue): string {
  return typeof value === 'number' ? formatNumber(value) : String(value);
}

export function withUnit(value: string, unit: string | undefined): string {
  return unit ? value + (unit === '%' || unit === '°' ? '' : '\u00a0') + unit : value;
}

// As charts and rules see it; a string has no number.
export function asNumber(value: FieldValue): number | undefined {
  return typeof value === 'number' ? value : typeof value === 'boolean' ? Number(value) : undefined;
}

export function formatClock(ms: number): string { return clock.format(ms); }
export function formatClockShort(ms: number): string { return clockShort.format(ms); }
export function formatDayClock(ms: number): string { return dayClock.format(ms); }
// With the day, unless that goes without saying.
export function formatMoment(ms: number): string {
  return new Date(ms).toDateString() === new Date().toDateString() ? formatClock(ms) : formatDayClock(ms);
}

// "4 s", "12 min", "3 h", "2 d": one unit is enough to judge by.
export function formatSpan(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} ${text.unitSecond}`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} ${text.unitMinute}`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} ${text.unitHour}`;
  return `${Math.floor(seconds / 86400)} ${text.unitDay}`;
}

// Undefined for null and for what is not a time.
export function parseTime(value: string | null | undefined): number | undefined {
  const ms = value ? Date.parse(value) : NaN;
  return Number.isNaN(ms) ? undefined : ms;
}
