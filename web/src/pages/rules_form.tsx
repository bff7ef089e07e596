// rules_form.tsx: the form of a rule. Each field changes its own place of the JSON and shows what the server says of it.

import type { ComponentChildren } from 'preact';
import { useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Wrong } from '../api.ts';
import {
  asList, asObject, asText, comparesLevels, conditionsAt, conditionsOf, getAt, hasBaseline, hasWindow, isSilence, kFunctions, kLevels,
  kOperators, kPlaceholders, levelsOf, limitText, parseLimit, setAt, setFunction, setJoin, sortLevels, wrongAt, type Json, type JsonObject,
} from '../store/rule_draft.ts';
import { topicWithin } from '../store/silences.ts';
import { mayOperate } from '../store/subject.ts';
import { text } from '../text.ts';
import { useDashboard } from '../view/context.ts';
import { useReading } from '../view/reading.tsx';
import { rulesText } from './rules_text.ts';

const kSuggested = 300;

interface Form {
  json: JsonObject;
  put: (json: JsonObject) => void;
  errors: readonly Wrong[];
  fixed: boolean;
}
interface FieldProps {
  form: Form;
  path: string;
  label: string;
  hint?: string;
  class?: string;
}

const idOf = (path: string): string => `rule-${path.replace(/[^a-z0-9]+/gi, '-')}`;

// Label, control, hint and what is wrong; the control gets what ties them together.
function Field({ form, path, label, hint, class: name = '', children }: FieldProps & {
  children: (tie: { id: string; 'aria-invalid': boolean; 'aria-describedby': string | undefined; disabled: boolean; 'data-testid': string }) => ComponentChildren;
}) {
  const id = idOf(path);
  const wrong = wrongAt(form.errors, path);
  const tie = {
    id, 'aria-invalid': wrong !== undefined, 'aria-describedby': hint || wrong ? `${id}-hint` : undefined, disabled: form.fixed,
    'data-testid': id,
  };
  return (
    <div class={`field ${name}`}>
      <label class="label" for={id}>{label}</label>
      {children(tie)}
      {(hint || wrong) && <span id={`${id}-hint`} class={wrong ? 'refused' : 'hint muted'}>{wrong ?? hint}</span>}
    </div>
  );
}

// `read`: what is typed as JSON; undefined is left out. What is typed stays as it is typed as long as it means the same.
function TextField({ placeholder, list, read = (typed) => typed || undefined, show = asText, ...field }: FieldProps & {
  placeholder?: string; list?: string; read?: (typed: string) => Json | undefined; show?: (json: Json | undefined) => string;
}) {
  const { form, path } = field;
  const value = getAt(form.json, path);
  const typed = useSignal(show(value));
  if (JSON.stringify(read(typed.value)) !== JSON.stringify(value) && show(value) !== typed.value) typed.value = show(value);
  return (
    <Field {...field}>
      {(tie) => (
        <input
          {...tie} value={typed.value} placeholder={placeholder} list={list} autocomplete="off" spellcheck={false}
          onInput={(event) => {
            typed.value = event.currentTarget.value;
            form.put(setAt(form.json, path, read(typed.value)));
          }}
        />
      )}
    </Field>
  );
}

const readNumber = (typed: string): Json | undefined => (typed.trim() === '' ? undefined : Number.isFinite(Number(typed)) ? Number(typed) : typed);

function Choice({ choices, usual, change, ...field }: FieldProps & {
  choices: readonly (readonly [string, string])[]; usual: string; change?: (chosen: string) => JsonObject;
}) {
  const { form, path } = field;
  const value = asText(getAt(form.json, path)) || usual;
  const unknown = choices.every(([known]) => known !== value);
  return (
    <Field {...field}>
      {(tie) => (
        <select {...tie} value={value} onChange={(event) => {
          const chosen = event.currentTarget.value;
          form.put(change ? change(chosen) : setAt(form.json, path, chosen));
        }}>
          {unknown && <option value={value}>{value}</option>}
          {choices.map(([key, word]) => <option key={key} value={key}>{word}</option>)}
        </select>
      )}
    </Field>
  );
}

const pairs = (words: Readonly<Record<string, string>>, keys: readonly string[]): [string, string][] => keys.map((key) => [key, words[key] ?? key]);
const operators = kOperators.map((op) => [op, `${op} ${/\w/.test(op) ? '' : rulesText.operators[op]}`.trim()] as const);

// A number, or an attribute of each device with a number for those that have none.
function LimitField({ form, path, op, label, perDevice }: { form: Form; path: string; op: string; label: string; perDevice: boolean }) {
  const isAttribute = perDevice && asObject(getAt(form.json, path)).attr !== undefined;
  const read = (typed: string) => parseLimit(typed, op);
  return (
    <>
      {isAttribute ? (
        <>
          <TextField form={form} path={`${path}.attr`} label={rulesText.attr} class="short" read={(typed) => typed} />
          <TextField form={form} path={`${path}.default`} label={rulesText.otherwise} class="number" read={readNumber} />
        </>
      ) : <TextField form={form} path={path} label={label} class="number" read={read} show={limitText} />}
      {perDevice && op !== 'in' && op !== 'outside' && (
        <label class="check small">
          <input
            type="checkbox" checked={isAttribute} disabled={form.fixed} data-testid={`${idOf(path)}-per-device`}
            onChange={(event) => {
              const now = getAt(form.json, path);
              form.put(setAt(form.json, path, event.currentTarget.checked ? { attr: '', default: typeof now === 'number' ? now : 0 } : asObject(now).default ?? 0));
            }}
          /> {rulesText.perDevice}
        </label>
      )}
    </>
  );
}

function Condition({ form, n }: { form: Form; n: number }) {
  const path = `${conditionsAt(form.json)}[${n}]`;
  const condition = asObject(getAt(form.json, path));
  const fn = asText(condition.fn) || 'last';
  return (
    <li class="part">
      {fn !== 'offline' && <TextField form={form} path={`${path}.field`} label={rulesText.field} list="rule-fields" read={(typed) => typed} />}
      <Choice form={form} path={`${path}.fn`} label={rulesText.fn} usual="last" choices={pairs(rulesText.functions, kFunctions)} change={(chosen) => setFunction(form.json, path, chosen)} />
      {(hasWindow(fn) || condition.window !== undefined) && <TextField form={form} path={`${path}.window`} label={rulesText.window} class="number" />}
      {hasBaseline(fn) && <TextField form={form} path={`${path}.halfLife`} label={rulesText.halfLife} class="number" />}
      {!isSilence(fn) && (n > 0 || condition.op !== undefined) && (
        <>
          <Choice
            form={form} path={`${path}.op`} label={rulesText.guard} usual="" choices={[['', rulesText.guardLevels], ...operators]}
            change={(op) => {
              const next = setAt(form.json, `${path}.op`, op || undefined);
              return op ? next : setAt(next, `${path}.value`, undefined);
            }}
          />
          {condition.op !== undefined && <LimitField form={form} path={`${path}.value`} op={asText(condition.op)} label={rulesText.guardValue} perDevice={false} />}
        </>
      )}
      {!form.fixed && conditionsOf(form.json).length > 1 && (
        <button type="button" class="icon" aria-label={rulesText.removeCondition(n + 1)} title={rulesText.remove} onClick={() => form.put(setAt(form.json, path, undefined))}>×</button>
      )}
    </li>
  );
}

function Level({ form, n }: { form: Form; n: number }) {
  const path = `levels[${n}]`;
  const level = asObject(getAt(form.json, path));
  const severity = asText(level.severity);
  const taken = levelsOf(form.json).map((other) => asText(other.severity));
  const free = kLevels.filter((known) => known === severity || !taken.includes(known));
  const op = asText(level.op) || '>';
  const compares = comparesLevels(form.json);
  return (
    <li class="part level" data-testid={`level-${severity}`}>
      <Choice
        form={form} path={`${path}.severity`} label={rulesText.level} usual="warning" choices={pairs(text.severity, free)}
        change={(chosen) => sortLevels(setAt(form.json, `${path}.severity`, chosen))}
      />
      {compares && (
        <>
          <Choice form={form} path={`${path}.op`} label={rulesText.op} usual=">" choices={operators} />
          <LimitField form={form} path={`${path}.value`} op={op} label={rulesText.limit} perDevice />
          {op !== '==' && op !== '!=' && (
            <TextField form={form} path={`${path}.clear`} label={rulesText.clear} class="number" read={(typed) => parseLimit(typed, op)} show={limitText} />
          )}
        </>
      )}
      <TextField form={form} path={`${path}.for`} label={rulesText.for} class="number" placeholder={compares ? asText(form.json.for) : ''} />
      {!form.fixed && levelsOf(form.json).length > 1 && (
        <button type="button" class="icon" aria-label={rulesText.removeLevel(severity)} title={rulesText.remove} onClick={() => form.put(setAt(form.json, path, undefined))}>×</button>
      )}
    </li>
  );
}

function addLevel(json: JsonObject): JsonObject {
  const taken = levelsOf(json).map((level) => level.severity);
  const severity = ['critical', 'warning', 'info'].find((known) => !taken.includes(known))!;
  const compares = comparesLevels(json);
  const op = levelsOf(json)[0]?.op ?? '>';
  return sortLevels({ ...json, levels: [...levelsOf(json), compares ? { severity, op, value: '' } : { severity, for: '15m' }] });
}

function Channels({ form }: { form: Form }) {
  const { api, session } = useDashboard();
  const may = mayOperate(session.who.value) && !session.who.value?.sites && !session.who.value?.devices;
  const reading = useReading(async () => (may ? (await api.get<{ channels: { name: string; type: string }[] }>('/api/channels')).channels : undefined), [may]);
  const known = reading.answer.value;
  const notify = asList(form.json.notify).map(asObject);
  const names = [...new Set([...(known ?? []).map(({ name }) => name), ...notify.map(({ channel }) => asText(channel))])];
  const severities = pairs(text.severity, kLevels);
  const toggle = (name: string, at: number) => {
    const rest = at >= 0 ? notify.filter((_, i) => i !== at) : [...notify, { channel: name }];
    form.put(setAt(form.json, 'notify', rest.length > 0 ? rest : undefined));
  };
  const wrong = wrongAt(form.errors, 'notify');
  return (
    <fieldset>
      <legend>{rulesText.told}</legend>
      {known === undefined && reading.load.value !== 'loading' && <p class="muted">{rulesText.channelsUnknown}</p>}
      {known !== undefined && names.length === 0 && <p class="muted">{rulesText.channelsNone}</p>}
      <ul class="channels">
        {names.map((name) => {
          const at = notify.findIndex(({ channel }) => channel === name);
          const type = known?.find((channel) => channel.name === name)?.type;
          return (
            <li key={name}>
              <label class="check">
                <input type="checkbox" checked={at >= 0} disabled={form.fixed} onChange={() => toggle(name, at)} data-testid={`channel-${name}`} />{' '}
                {name} <span class="muted">{type ?? (known ? rulesText.channelMissing : '')}</span>
              </label>
              {at >= 0 && (
                <Choice form={form} path={`notify[${at}].minSeverity`} label={rulesText.from} usual="info" choices={severities} class="inline" />
              )}
            </li>
          );
        })}
      </ul>
      {wrong && <p class="refused">{wrong}</p>}
    </fieldset>
  );
}

function Message({ form }: { form: Form }) {
  const box = useRef<HTMLTextAreaElement>(null);
  const caret = useRef<number | undefined>(undefined);
  const message = asText(form.json.message);
  useLayoutEffect(() => {
    if (caret.current === undefined) return;
    box.current?.focus();
    box.current?.setSelectionRange(caret.current, caret.current);
    caret.current = undefined;
  }, [message]);
  const insert = (name: string) => {
    const [from, to] = [box.current?.selectionStart ?? message.length, box.current?.selectionEnd ?? message.length];
    const word = `{{${name}}}`;
    caret.current = from + word.length;
    form.put(setAt(form.json, 'message', message.slice(0, from) + word + message.slice(to)));
  };
  return (
    <>
      <Field form={form} path="message" label={rulesText.message} hint={rulesText.messageHint}>
        {(tie) => (
          <textarea
            {...tie} ref={box} rows={2} value={message} placeholder="{{device}} {{field}}={{value}} {{op}} {{threshold}}"
            onInput={(event) => form.put(setAt(form.json, 'message', event.currentTarget.value || undefined))}
          />
        )}
      </Field>
      <ul class="placeholders">
        {kPlaceholders.map((name) => (
          <li key={name}>
            <button type="button" disabled={form.fixed} onClick={() => insert(name)}>{`{{${name}}}`}</button>{' '}
            <span class="muted">{rulesText.placeholders[name]}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

// The account, its sites and devices; and the values of the devices that the scope covers.
function useSuggestions(scope: string): { topics: string[]; fields: string[] } {
  const { devices, session } = useDashboard();
  const account = `account:${session.who.value?.account ?? '*'}`;
  const topics = new Set([account]);
  const fields = new Set<string>();
  for (const { topic, siteId } of devices.byTopic.values()) topics.add(`${account}/site:${siteId}`).add(topic);
  for (const device of devices.byTopic.values()) {
    if (scope === '' || topicWithin(device.topic, scope)) for (const field of device.cells.keys()) fields.add(field);
  }
  return { topics: [...topics].sort((a, b) => a.length - b.length || a.localeCompare(b)).slice(0, kSuggested), fields: [...fields].sort().slice(0, kSuggested) };
}

export function RuleForm({ isNew, ...form }: Form & { isNew: boolean }) {
  const { json, put, fixed } = form;
  const { topics, fields } = useSuggestions(asText(getAt(json, 'scope.topic')));
  const at = conditionsAt(json);
  const conditions = conditionsOf(json);
  const levels = levelsOf(json);
  const [levelsWrong, whenWrong] = [levels.length === 0, conditions.length === 0].map((none, i) => (none ? wrongAt(form.errors, i === 0 ? 'levels' : 'when') : undefined));
  return (
    <>
      <datalist id="rule-topics">{topics.map((topic) => <option key={topic} value={topic} />)}</datalist>
      <datalist id="rule-fields">{fields.map((field) => <option key={field} value={field} />)}</datalist>
      <div class="part">
        <TextField form={form} path="name" label={rulesText.name} read={(typed) => typed} />
        {isNew && <TextField form={form} path="id" label={rulesText.id} hint={rulesText.idHint} class="short" />}
        <label class="check">
          <input type="checkbox" checked={json.enabled !== false} disabled={fixed} onChange={(event) => put(setAt(json, 'enabled', event.currentTarget.checked))} data-testid="rule-on" /> {rulesText.enabled}
        </label>
      </div>
      <TextField form={form} path="scope.topic" label={rulesText.scope} hint={rulesText.scopeHint} list="rule-topics" />
      <fieldset>
        <legend>{rulesText.conditions}</legend>
        {conditions.length > 1 && (
          <div class="joins">
            {(['all', 'any'] as const).map((join) => (
              <label key={join} class="check">
                <input type="radio" name="join" disabled={fixed} checked={at === `when.${join}`} onChange={() => put(setJoin(json, join))} data-testid={`join-${join}`} /> {rulesText.join[join]}
              </label>
            ))}
          </div>
        )}
        <ol>{conditions.map((_, n) => <Condition key={n} form={form} n={n} />)}</ol>
        {whenWrong && <p class="refused">{whenWrong}</p>}
        {!fixed && conditions.length < 8 && (
          <button type="button" data-testid="add-condition" onClick={() => put(setAt(json, `${at}[${conditions.length}]`, { field: '', fn: 'last' }))}>{rulesText.addCondition}</button>
        )}
      </fieldset>
      <fieldset>
        <legend>{rulesText.levels}</legend>
        <ol>{levels.map((level, n) => <Level key={asText(level.severity)} form={form} n={n} />)}</ol>
        {levelsWrong && <p class="refused">{levelsWrong}</p>}
        {!fixed && levels.length < 3 && <button type="button" data-testid="add-level" onClick={() => put(addLevel(json))}>{rulesText.addLevel}</button>}
      </fieldset>
      <fieldset>
        <legend>{rulesText.timing}</legend>
        <div class="part">
          {comparesLevels(json) && <TextField form={form} path="for" label={rulesText.forAll} class="number" placeholder="0s" />}
          <TextField form={form} path="keepFiring" label={rulesText.keepFiring} class="number" placeholder="0s" />
          <TextField form={form} path="minSamples" label={rulesText.minSamples} class="number" placeholder="1" read={readNumber} />
          <TextField
            form={form} path="noData.after" label={rulesText.noDataAfter} class="number" placeholder={rulesText.never}
          />
          {getAt(json, 'noData.after') !== undefined && (
            <Choice form={form} path="noData.do" label={rulesText.noDataDo} usual="keep" choices={Object.entries(rulesText.noData)} />
          )}
        </div>
        <p class="muted small">{rulesText.timingHint}</p>
      </fieldset>
      <Channels form={form} />
      <Message form={form} />
    </>
  );
}
