// silences.ts: which alerts a silence covers, and how long one may be.

import { parseTime } from '../format.ts';

export interface Silence {
  id: string;
  topic: string;
  rules?: string[];
  startsAt: string;
  endsAt: string;
  comment?: string;
  createdBy?: string;
  active: boolean;
}

export const silenceState = (silence: Silence, nowMs: number): 'upcoming' | 'active' | 'over' =>
  (parseTime(silence.endsAt) ?? 0) <= nowMs ? 'over' : (parseTime(silence.startsAt) ?? 0) > nowMs ? 'upcoming' : 'active';

export function covers(silence: Silence, alert: { topic: string; ruleId: string }, nowMs: number): boolean {
  return silenceState(silence, nowMs) === 'active' && topicWithin(alert.topic, silence.topic) &&
    (silence.rules === undefined || silence.rules.includes(alert.ruleId));
}

// A pattern stops early for everything under it; "*" is any one name.
export function topicWithin(topic: string, pattern: string): boolean {
  const names = topic.split('/');
  const wanted = pattern.split('/');
  return wanted.length <= names.length &&
    wanted.every((part, i) => part === names[i] || (part.endsWith(':*') && names[i]!.startsWith(part.slice(0, -1))));
}

// "90m", "1h 30m", "2 d" as milliseconds; a number alone is minutes. Undefined for what is none.
export function parseSpan(text: string): number | undefined {
  const units: Record<string, number> = { s: 1_000, m: 60_000, min: 60_000, h: 3600_000, d: 86_400_000 };
  const said = text.trim().toLowerCase();
  if (/^\d+$/.test(said)) return Number(said) * 60_000;
  if (!/^(\d+(\.\d+)?\s*(s|min|m|h|d)\s*)+$/.test(said)) return undefined;
  let ms = 0;
  for (const [, count, unit] of said.matchAll(/(\d+(?:\.\d+)?)\s*(s|min|m|h|d)/g)) ms += Number(count) * units[unit!]!;
  return Math.round(ms);
}
