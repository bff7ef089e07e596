// rule_draft.ts: an alert rule as it is edited: the JSON itself, changed in one place at a time, so that members which no form
// knows stay as they are.
//
// Shapes   A place is written as the server names it: "when.all[0].field".
// Errors   Whatever the JSON holds, reading it gives what a form can show; the server says what is wrong with it.

import type { Wrong } from '../api.ts';

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type JsonObject = { [name: string]: Json };

export interface RuleStatus {
  devices: number;
  pending: number;
  firing: number;
  limited: boolean;
}
export interface SavedRule {
  id: string;
  name: string;
  enabled: boolean;
  version: number;
  scope?: { topic?: string };
  source: 'api' | 'file' | 'config';
  updatedAt?: string;
  updatedBy?: string;
  status: RuleStatus | null;
  [more: string]: unknown;
}

// What the server says of a rule and is no part of it. The version goes along as If-Match.
const kSaid = ['version', 'source', 'createdAt', 'createdBy', 'updatedAt', 'updatedBy', 'status'];

export const kFunctions = [
  'last', 'avg', 'min', 'max', 'sum', 'count', 'stddev', 'rate', 'delta', 'ewma', 'zscore', 'mad', 'missing', 'offline',
] as const;
export const kOperators = ['>', '>=', '<', '<=', '==', '!=', 'in', 'outside'] as const;
export const kLevels = ['info', 'warning', 'critical'] as const;
export const kPlaceholders = ['device', 'site', 'rule', 'severity', 'field', 'fn', 'value', 'op', 'threshold', 'duration'] as const;
export const hasWindow = (fn: string): boolean => ['avg', 'min', 'max', 'sum', 'count', 'stddev', 'rate', 'delta'].includes(fn);
export const hasBaseline = (fn: string): boolean => ['ewma', 'zscore', 'mad'].includes(fn);
export const isSilence = (fn: string): boolean => fn === 'missing' || fn === 'offline';

// Members that the form shows.
const kInForm = ['id', 'name', 'enabled', 'scope', 'when', 'levels', 'for', 'keepFiring', 'minSamples', 'noData', 'message', 'notify'];

export const asObject = (json: Json | undefined): JsonObject =>
  typeof json === 'object' && json !== null && !Array.isArray(json) ? json : {};
export const asList = (json: Json | undefined): Json[] => (Array.isArray(json) ? json : []);
export const asText = (json: Json | undefined): string =>
  json === undefined || json === null ? '' : typeof json === 'object' ? JSON.stringify(json) : String(json);

export function draftOf(rule: SavedRule): JsonObject {
  return Object.fromEntries(Object.entries(rule).filter(([name]) => !kSaid.includes(name))) as JsonObject;
}

export function newDraft(topic: string): JsonObject {
  return {
    name: '', enabled: true, scope: { topic }, when: { all: [{ field: '', fn: 'last' }] },
    levels: [{ severity: 'warning', op: '>', value: '' }], for: '30s',
  };
}

export function copyDraft(rule: JsonObject, name: string): JsonObject {
  const { id: _, ...rest } = rule;
  return { ...rest, name };
}

type Step = string | number;
const stepsOf = (path: string): Step[] => [...path.matchAll(/([^.[\]]+)/g)].map(([step]) => (/^\d+$/.test(step) ? Number(step) : step));

export function getAt(json: Json | undefined, path: string): Json | undefined {
  let at: Json | undefined = json;
  for (const step of stepsOf(path)) at = typeof step === 'number' ? asList(at)[step] : asObject(at)[step];
  return at;
}

// Undefined removes. What stands in the way and cannot hold the step gives place.
export function setAt<Whole extends Json>(json: Whole, path: string, value: Json | undefined): Whole {
  return change(json, stepsOf(path), value) as Whole;
}

function change(json: Json | undefined, [step, ...rest]: Step[], value: Json | undefined): Json | undefined {
  if (step === undefined) return value;
  if (typeof step === 'number') {
    const list = [...asList(json)];
    const next = change(list[step], rest, value);
    if (next === undefined) list.splice(step, 1);
    else list[step] = next;
    return list;
  }
  const next = change(asObject(json)[step], rest, value);
  const { [step]: _, ...others } = asObject(json);
  if (next === undefined) return others;
  return Object.hasOwn(asObject(json), step) ? { ...asObject(json), [step]: next } : { ...others, [step]: next };
}

export const conditionsAt = (draft: JsonObject): 'when.all' | 'when.any' => (Array.isArray(getAt(draft, 'when.any')) ? 'when.any' : 'when.all');
export const conditionsOf = (draft: JsonObject): JsonObject[] => asList(getAt(draft, conditionsAt(draft))).map(asObject);
export const levelsOf = (draft: JsonObject): JsonObject[] => asList(draft.levels).map(asObject);

export function setJoin(draft: JsonObject, join: 'all' | 'any'): JsonObject {
  const { all: _, any: __, ...others } = asObject(draft.when);
  return { ...draft, when: { ...others, [join]: conditionsOf(draft) } };
}

// Whether the levels compare a value: else they only say for how long there is silence.
export const comparesLevels = (draft: JsonObject): boolean =>
  conditionsOf(draft).some((condition) => condition.op === undefined && !isSilence(asText(condition.fn)));

// From info over warning to critical, as the server wants them.
export function sortLevels(draft: JsonObject): JsonObject {
  const rank = (level: JsonObject) => kLevels.indexOf(asText(level.severity) as (typeof kLevels)[number]);
  return { ...draft, levels: levelsOf(draft).sort((a, b) => rank(a) - rank(b)) };
}

// Of a function without it a window would be refused, and of silence a limit.
export function setFunction(draft: JsonObject, path: string, fn: string): JsonObject {
  let next = setAt(draft, `${path}.fn`, fn);
  if (!hasWindow(fn)) next = setAt(next, `${path}.window`, undefined);
  else if (getAt(next, `${path}.window`) === undefined) next = setAt(next, `${path}.window`, '60s');
  if (!hasBaseline(fn)) for (const name of ['halfLife', 'direction', 'minDeviation', 'warmup']) next = setAt(next, `${path}.${name}`, undefined);
  if (fn === 'offline') next = setAt(next, `${path}.field`, undefined);
  if (isSilence(fn)) for (const name of ['op', 'value']) next = setAt(next, `${path}.${name}`, undefined);
  const compares = comparesLevels(next);
  return {
    ...next,
    levels: levelsOf(next).map(({ op, value, clear, ...level }) => {
      if (!compares) return { ...level, for: level.for ?? '5m' };
      return { ...level, op: op ?? '>', value: value ?? '', ...(clear === undefined ? {} : { clear }) };
    }),
  };
}

// A limit as it is typed: "70", "true", "running", "60, 80" for a range; nothing at all is no limit.
export function parseLimit(text: string, op: string): Json | undefined {
  const said = text.trim();
  if (said === '') return undefined;
  if (op === 'in' || op === 'outside') {
    const ends = said.split(/\s*[,;…]\s*|\s+/).map(Number);
    return ends.length === 2 && ends.every(Number.isFinite) ? ends : said;
  }
  if (said === 'true' || said === 'false') return said === 'true';
  const number = Number(said);
  return Number.isFinite(number) ? number : said;
}
export const limitText = (limit: Json | undefined): string =>
  Array.isArray(limit) ? limit.map(asText).join(', ') : asText(limit);

// What is worth trying out: the first condition and some level are complete.
export function isWhole(draft: JsonObject): boolean {
  const [first] = conditionsOf(draft);
  if (!first || (first.fn !== 'offline' && !asText(first.field))) return false;
  return levelsOf(draft).length > 0 && (!comparesLevels(draft) || levelsOf(draft).every(({ value }) => value !== undefined && value !== ''));
}

// Members that are there and not in the form.
export const elsewhere = (draft: JsonObject): string[] => [
  ...Object.keys(draft).filter((name) => !kInForm.includes(name)),
  ...Object.keys(asObject(draft.scope)).filter((name) => name !== 'topic').map((name) => `scope.${name}`),
];

// What is wrong at a place or within it; the server may name a rule inside of something else ("rule.levels[0].op").
export const wrongAt = (errors: readonly Wrong[], path: string): string | undefined =>
  errors.find((wrong) => within(wrong.path.replace(/^rule\./, ''), path))?.reason;
const within = (path: string, place: string): boolean =>
  path === place || (path.startsWith(place) && /[.[]/.test(path[place.length] ?? ''));

// A text as JSON, or where it is none.
export function parseRule(text: string): { rule: JsonObject } | { wrong: string } {
  try {
    const json = JSON.parse(text) as Json;
    if (typeof json !== 'object' || json === null || Array.isArray(json)) return { wrong: '' };
    return { rule: json };
  } catch (error) {
    return { wrong: error instanceof Error ? error.message : '' };
  }
}
