import { describe, expect, it } from 'vitest';
import type { SavedRule } from './rule_draft.ts';
import {
  copyDraft, draftOf, elsewhere, getAt, isWhole, limitText, newDraft, parseLimit, parseRule, setAt, setFunction, setJoin, sortLevels,
  wrongAt, type JsonObject,
} from './rule_draft.ts';
import { scopeWords, sentence } from '../pages/rules_words.ts';

const saved = {
  id: 'hot', name: 'Hot', enabled: true, version: 3, source: 'api', createdAt: 'x', createdBy: 'y', updatedAt: 'x', updatedBy: 'y',
  status: null, scope: { topic: 'account:a', tags: { model: 'elink' } },
  when: { all: [{ field: 'T1', fn: 'avg', window: '60s', unheardOf: 1 }, { field: 'pump', op: '==', value: true }] },
  levels: [{ severity: 'warning', op: '>', value: { attr: 'T1_warn', default: 70 }, clear: 65 }, { severity: 'critical', op: '>', value: 85, for: '10s' }],
  for: '30s', flap: { history: 21 }, tomorrow: [1],
} as SavedRule;
const draft = draftOf(saved);

describe('a draft', () => {
  it('is the rule without what the server says of it', () => {
    expect(Object.keys(draft)).toEqual(['id', 'name', 'enabled', 'scope', 'when', 'levels', 'for', 'flap', 'tomorrow']);
    expect(elsewhere(draft)).toEqual(['flap', 'tomorrow', 'scope.tags']);
    expect(copyDraft(draft, 'Copy')).toEqual({ ...draft, id: undefined, name: 'Copy' });
  });
  it('changes in one place and keeps the rest, also what no form knows', () => {
    const next = setAt(draft, 'when.all[0].field', 'T2');
    expect(getAt(next, 'when.all[0]')).toEqual({ field: 'T2', fn: 'avg', window: '60s', unheardOf: 1 });
    expect(Object.keys(next)).toEqual(Object.keys(draft));
    expect({ ...next, when: draft.when }).toEqual(draft);
    expect(getAt(draft, 'when.all[0].field')).toBe('T1');
    expect(setAt(setAt(draft, 'noData.after', '5m'), 'noData.after', undefined).noData).toEqual({});
    expect(getAt(setAt(draft, 'levels[0]', undefined), 'levels')).toHaveLength(1);
  });
  it('puts up with any JSON', () => {
    for (const odd of [{}, { when: 3, levels: 'x', scope: [] }, { when: { all: [7, null] }, levels: [null] }] as JsonObject[]) {
      expect(typeof sentence(odd)).toBe('string');
      expect(scopeWords(odd)).toBe('All devices');
      expect(isWhole(odd)).toBe(false);
      expect(getAt(setAt(odd, 'when.all[0].field', 'T1'), 'when.all[0].field')).toBe('T1');
    }
  });
  it('gives a function the members it has and takes those it has not', () => {
    const last = setFunction(draft, 'when.all[0]', 'last');
    expect(getAt(last, 'when.all[0]')).toEqual({ field: 'T1', fn: 'last', unheardOf: 1 });
    expect(getAt(setFunction(last, 'when.all[0]', 'rate'), 'when.all[0].window')).toBe('60s');
    const offline = setFunction(newDraft('account:a'), 'when.all[0]', 'offline');
    expect(getAt(offline, 'when.all[0]')).toEqual({ fn: 'offline' });
    expect(offline.levels).toEqual([{ severity: 'warning', for: '5m' }]);
    expect(getAt(setFunction(offline, 'when.all[0]', 'last'), 'levels[0]')).toEqual({ severity: 'warning', for: '5m', op: '>', value: '' });
  });
  it('orders levels as the server wants them, and joins conditions either way', () => {
    const levels = sortLevels({ levels: [{ severity: 'critical' }, { severity: 'info' }, { severity: 'warning' }] }).levels;
    expect(levels).toEqual([{ severity: 'info' }, { severity: 'warning' }, { severity: 'critical' }]);
    expect(setJoin(draft, 'any').when).toEqual({ any: (draft.when as JsonObject).all });
    expect(setJoin(setJoin(draft, 'any'), 'all')).toEqual(draft);
  });
  it.each([
    ['70', '>', 70], ['-1.5e3', '>', -1500], ['true', '==', true], ['running', '==', 'running'], ['', '>', undefined], ['7.', '>', 7],
    ['60, 80', 'in', [60, 80]], ['60 80', 'outside', [60, 80]], ['60', 'in', '60'], ['60, x', 'in', '60, x'],
  ])('reads the limit %j of %j', (typed, op, limit) => {
    expect(parseLimit(typed, op)).toEqual(limit);
    expect(parseLimit(limitText(parseLimit(typed, op)), op)).toEqual(limit);
  });
  it('is worth trying out when it has a value and limits', () => {
    expect(isWhole(draft)).toBe(true);
    expect(isWhole(newDraft('account:a'))).toBe(false);
    expect(isWhole(setAt(draft, 'levels[1].value', ''))).toBe(false);
    expect(isWhole({ when: { all: [{ fn: 'offline' }] }, levels: [{ severity: 'info', for: '5m' }] })).toBe(true);
  });
  it('finds what is wrong at a place and within it, not beside it', () => {
    const errors = [{ path: 'rule.levels[0].value.attr', reason: 'missing' }];
    expect([wrongAt(errors, 'levels[0].value'), wrongAt(errors, 'levels[0].value.attr'), wrongAt(errors, 'levels[0].val'), wrongAt(errors, 'levels[1]')])
      .toEqual(['missing', 'missing', undefined, undefined]);
  });
  it('takes JSON of an object only', () => {
    expect(parseRule('{"a":1}')).toEqual({ rule: { a: 1 } });
    for (const wrong of ['', '[]', 'null', '{"a"', '3']) expect(parseRule(wrong)).toHaveProperty('wrong');
  });
});

describe('a sentence', () => {
  it('says what a rule says', () => {
    expect(sentence(draft)).toBe('average of T1 over 60s above T1_warn of the device (else 70) (warning), above 85 for 10s (critical), for 30s and pump equal to true');
    expect(scopeWords(draft)).toBe('All devices with model=elink');
    expect(scopeWords({ scope: { topic: 'account:a/site:s/device:*' } })).toBe('All devices at s');
    expect(scopeWords({ scope: { topic: 'account:a/site:*/device:d' } })).toBe('d at every site');
    expect(sentence({ when: { any: [{ fn: 'missing', field: 'T1' }] }, levels: [{ severity: 'info', for: '5m' }] })).toBe('T1 is not heard of for 5m (info)');
  });
});
