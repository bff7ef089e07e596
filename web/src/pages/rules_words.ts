// rules_words.ts: what a rule says, in a sentence; and what the server refused.

import { ApiError } from '../api.ts';
import { formatDayClock } from '../format.ts';
import { saidToPeople } from '../store/subject.ts';
import { text } from '../text.ts';
import {
  asList, asObject, asText, comparesLevels, conditionsAt, conditionsOf, getAt, levelsOf, type Json, type JsonObject,
} from '../store/rule_draft.ts';
import { rulesText } from './rules_text.ts';

export function scopeWords(rule: JsonObject): string {
  const [, site, device] = asText(getAt(rule, 'scope.topic')).split('/').map((part) => part.slice(part.indexOf(':') + 1));
  const named = (name: string | undefined) => name !== undefined && name !== '' && name !== '*';
  const tags = Object.entries(asObject(getAt(rule, 'scope.tags'))).map(([name, value]) => `${name}=${asText(value)}`).join(', ');
  const where = named(device) ? rulesText.oneDevice(device!, named(site) ? site! : rulesText.everySite)
    : named(site) ? rulesText.atSite(site!) : rulesText.every;
  return tags ? `${where} ${rulesText.tagged(tags)}` : where;
}

function limitWords(limit: Json | undefined): string {
  const { attr, default: otherwise } = asObject(limit);
  if (attr !== undefined) return rulesText.attribute(asText(attr), asText(otherwise));
  return asList(limit).length === 2 ? asList(limit).map(asText).join('–') : asText(limit) || rulesText.nothing;
}

const opWords = (op: Json | undefined): string => (rulesText.operators as Record<string, string>)[asText(op)] ?? asText(op);

function subject(condition: JsonObject): string {
  const fn = asText(condition.fn) || 'last';
  const field = asText(condition.field) || rulesText.nothing;
  if (fn === 'offline') return rulesText.offlineFor;
  if (fn === 'missing') return rulesText.missingFor(field);
  return fn === 'last' ? field : rulesText.fnOf(rulesText.shortFunctions[fn] ?? fn, field, asText(condition.window));
}

// "average of T1 over 60s above 70 (warning), above 85 (critical), for 30s"
export function sentence(rule: JsonObject): string {
  const join = conditionsAt(rule) === 'when.any' ? rulesText.or : rulesText.and;
  const said = conditionsOf(rule)
    .map((condition) => (condition.op === undefined ? subject(condition) : `${subject(condition)} ${opWords(condition.op)} ${limitWords(condition.value)}`));
  const [first = rulesText.nothing, ...rest] = said;
  const compares = comparesLevels(rule);
  const levels = levelsOf(rule).map((level) => {
    const severity = (text.severity as Record<string, string>)[asText(level.severity)] ?? asText(level.severity);
    const limit = compares ? `${opWords(level.op)} ${limitWords(level.value)}` : '';
    return [limit, level.for === undefined ? '' : rulesText.heldFor(asText(level.for)), `(${severity.toLowerCase()})`].filter(Boolean).join(' ');
  }).join(', ');
  const held = compares && rule.for !== undefined && asText(rule.for) !== '0s' ? `, ${rulesText.heldFor(asText(rule.for))}` : '';
  return [`${first} ${levels}${held}`, ...rest].join(join);
}

export const kNewRule = '*';  // in the address; no id of a rule

export function refusalWords(error: unknown): string {
  if (!(error instanceof ApiError)) return rulesText.unreachable;
  const said = saidToPeople(error.message, formatDayClock);
  return error.status === 403 ? rulesText.forbidden(said) : rulesText.failed(said);
}

export const ruleUrl = (id: string): string => `/api/rules/${encodeURIComponent(id)}`;
