// rules_editor.tsx: one rule: as a form, as JSON, and what it would have done.
//
// Flow     both views change one draft. What is not saved yet is kept while the tab is open, also on other pages.
// Errors   a rule that someone else has saved meanwhile (412) is neither lost nor overwritten without being asked.

import { batch, signal, useSignal, type Signal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { ApiError, type Who, type Wrong } from '../api.ts';
import { formatClock, parseTime } from '../format.ts';
import { BackTest } from '../store/back_test.ts';
import { copyDraft, draftOf, elsewhere, isWhole, newDraft, parseRule, type JsonObject, type SavedRule } from '../store/rule_draft.ts';
import { mayAdmin, nameOf } from '../store/subject.ts';
import { text } from '../text.ts';
import { useDashboard } from '../view/context.ts';
import { lazy } from '../view/lazy.tsx';
import { Modal } from '../view/modal.tsx';
import { PageLink } from '../view/page_link.tsx';
import { RuleForm } from './rules_form.tsx';
import { rulesText } from './rules_text.ts';
import { kNewRule, refusalWords, ruleUrl, scopeWords, sentence } from './rules_words.ts';

const RulePreview = lazy(() => import('./rules_preview.tsx'));
const kTypingMs = 700;

export interface Props {
  id: string;
  rule: SavedRule | undefined;
  known: boolean;  // the rules have been read
  onChanged: () => Promise<void>;
}

interface Draft {
  json: Signal<JsonObject>;
  base: Signal<SavedRule | undefined>;  // what it was made of
  said: Signal<string>;
}
const drafts = new Map<string, Draft>();  // of whoever is signed in, and nobody else's
const keyOf = (who: Who | undefined, id: string): string => `${who?.account} ${who?.subject} ${id}`;

const sameJson = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

export default function RuleEditor(props: Props) {
  const { session } = useDashboard();
  const account = session.who.value?.account ?? '*';
  const { id, rule, known } = props;
  const key = keyOf(session.who.value, id);
  if (!drafts.has(key) && (rule || id === kNewRule)) {
    drafts.set(key, { json: signal(rule ? draftOf(rule) : newDraft(`account:${account}`)), base: signal(rule), said: signal('') });
  }
  const draft = drafts.get(key);
  if (draft) return <Editing key={key} {...props} draft={draft} />;
  return (
    <section class="card">
      <p class="note"><PageLink page="rules">← {rulesText.back}</PageLink></p>
      <p class="note" role="status">{known ? rulesText.gone : text.loading}</p>
    </section>
  );
}

function Editing({ id, rule, draft, onChanged }: Props & { draft: Draft }) {
  const { api, place, session } = useDashboard();
  const { json, base, said } = draft;
  const key = (of: string) => keyOf(session.who.peek(), of);
  const view = useSignal<'form' | 'json'>('form');
  const errors = useSignal<readonly Wrong[]>([]);
  const refused = useSignal('');
  const busy = useSignal(false);
  const deleting = useSignal(false);
  const conflict = useSignal<{ theirs: SavedRule | undefined } | undefined>(undefined);
  const summary = useRef<HTMLDivElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const test = useMemo(() => new BackTest(api), []);
  const isNew = id === kNewRule;
  const may = mayAdmin(session.who.value) && (base.value === undefined || base.value.source === 'api');
  const clean = base.value ? draftOf(base.value) : undefined;
  const dirty = clean === undefined ? json.value.name !== '' : !sameJson(json.value, clean);

  // What others saved is taken as long as nothing here would be lost.
  useEffect(() => {
    if (rule && base.peek() && rule.version !== base.peek()!.version && !dirty) {
      batch(() => { base.value = rule; json.value = draftOf(rule); });
    }
  }, [rule?.version]);
  useEffect(() => {
    if (mayAdmin(session.who.value) && isWhole(json.value)) test.soon(json.value, test.state.peek() === 'idle' ? 0 : kTypingMs);
  }, [json.value]);
  useEffect(() => {
    const own = key(id);
    heading.current?.focus();
    return () => {
      test.stop();
      const kept = drafts.get(own);
      if (kept && kept.base.value && sameJson(kept.json.value, draftOf(kept.base.value))) drafts.delete(own);
    };
  }, []);
  useEffect(() => {
    if (!dirty) return undefined;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener('beforeunload', warn);
    return () => removeEventListener('beforeunload', warn);
  }, [dirty]);

  const put = (next: JsonObject) => {
    batch(() => { json.value = next; errors.value = []; refused.value = said.value = ''; });
  };
  const taken = async (saved: SavedRule) => {
    batch(() => { base.value = saved; json.value = draftOf(saved); errors.value = []; refused.value = ''; conflict.value = undefined; });
    await onChanged();
    if (!isNew) { said.value = rulesText.saved; return; }
    drafts.delete(key(id));
    drafts.set(key(saved.id), { json: signal(draftOf(saved)), base: signal(saved), said: signal(rulesText.saved) });
    place.set({ rule: saved.id });
  };
  const lookAtTheirs = async () => {
    try {
      conflict.value = { theirs: await api.get<SavedRule>(ruleUrl(id)) };
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) conflict.value = { theirs: undefined };
      else refused.value = refusalWords(error);
    }
  };
  const act = async (what: () => Promise<void>) => {
    if (busy.value) return;
    busy.value = true;
    batch(() => { refused.value = said.value = ''; errors.value = []; });
    try {
      await what();
    } catch (error) {
      if (error instanceof ApiError && error.status === 412) await lookAtTheirs();
      else {
        batch(() => {
          errors.value = error instanceof ApiError ? error.errors : [];
          refused.value = refusalWords(error);
        });
        requestAnimationFrame(() => (document.querySelector<HTMLElement>('.rule-form [aria-invalid="true"]') ?? summary.current)?.focus());
      }
    }
    busy.value = false;
  };
  const body = () => {
    const { name, id: own, ...rest } = json.value;
    return { ...(own === undefined || own === '' ? {} : { id: own }), ...(name === '' ? {} : { name: name as string }), ...rest };
  };
  const save = (version = base.value?.version) => act(async () => {
    await taken(isNew || version === undefined
      ? await api.change<SavedRule>('POST', '/api/rules', body())
      : await api.change<SavedRule>('PUT', ruleUrl(id), body(), { 'If-Match': `"${version}"` }));
  });
  const overwrite = () => {
    const theirs = conflict.value?.theirs;
    conflict.value = undefined;
    if (theirs) return save(theirs.version);
    return act(async () => taken(await api.change<SavedRule>('PUT', ruleUrl(id), body(), { 'If-None-Match': '*' })));
  };
  const remove = () => act(async () => {
    deleting.value = false;
    await api.change('DELETE', ruleUrl(id), undefined, base.value ? { 'If-Match': `"${base.value.version}"` } : {});
    drafts.delete(key(id));
    await onChanged();
    place.go('rules');
  });
  const copy = () => {
    drafts.set(key(kNewRule), { json: signal(copyDraft(json.value, rulesText.copyOf(String(json.value.name)))), base: signal(undefined), said: signal('') });
    place.set({ rule: kNewRule }, 'push');
  };
  const discard = () => put(clean ?? newDraft(`account:${session.who.value?.account ?? '*'}`));
  const more = elsewhere(json.value);
  const shownErrors = errors.value.length > 0 ? errors.value : isWhole(json.value) ? test.errors.value : [];
  const source = base.value?.source;
  const firing = rule?.status?.firing ?? 0;
  return (
    <section class="card rule-editor" aria-labelledby="rule-title" data-testid="rule-editor" data-rule={id} data-dirty={dirty}>
      <div class="card-head">
        <PageLink class="back" page="rules" testId="rules-back">← {rulesText.back}</PageLink>
        <h2 id="rule-title" ref={heading} tabIndex={-1} class="cut">{isNew ? rulesText.newTitle : base.value?.name ?? id}</h2>
        {dirty && may && <span class="tag" data-testid="rule-unsaved">{rulesText.unsaved}</span>}
        <span class="grow" />
        <div class="segments" role="group" aria-label={rulesText.view}>
          {(['form', 'json'] as const).map((way) => (
            <button type="button" key={way} aria-pressed={view.value === way} data-testid={`view-${way}`} onClick={() => { view.value = way; }}>
              {rulesText[way]}
            </button>
          ))}
        </div>
      </div>
      {!may && (
        <p class="note why" data-testid="rule-readonly">
          {source && source !== 'api' ? rulesText.sourceWhy[source] : rulesText.viewerOnly}{' '}
          {mayAdmin(session.who.value) && <button type="button" onClick={copy} data-testid="rule-copy">{rulesText.copy}</button>}
        </p>
      )}
      <div class="rule-columns">
        <form class="rule-form" noValidate onSubmit={(event) => { event.preventDefault(); void save(); }}>
          <p class="says" data-testid="rule-sentence"><span class="muted">{scopeWords(json.value)}: </span>{sentence(json.value)}</p>
          {view.value === 'form'
            ? <RuleForm json={json.value} put={put} errors={shownErrors} fixed={!may} isNew={isNew} />
            : <JsonView json={json.value} put={put} fixed={!may} />}
          {view.value === 'form' && more.length > 0 && <p class="muted" data-testid="rule-elsewhere">{rulesText.elsewhere(more.join(', '))}</p>}
          <div role="alert" tabIndex={-1} ref={summary} class="refused" data-testid="rule-refused">{refused.value}</div>
          {may && (
            <p class="buttons">
              <button type="submit" class="primary" disabled={busy.value} data-testid="rule-save">{rulesText.save}</button>
              {dirty && <button type="button" onClick={discard} data-testid="rule-discard">{rulesText.discard}</button>}
              {!isNew && <button type="button" onClick={copy} data-testid="rule-copy">{rulesText.copy}</button>}
              {!isNew && <button type="button" class="danger" onClick={() => { deleting.value = true; }} data-testid="rule-delete">{rulesText.delete}</button>}
              <span role="status" data-testid="rule-said">{said.value}</span>
            </p>
          )}
        </form>
        <RulePreview test={test} json={json.value} />
      </div>
      {deleting.value && (
        <Modal title={rulesText.deleteTitle(base.value?.name ?? id)} testId="delete-dialog" onClose={() => { deleting.value = false; }} onSubmit={() => void remove()}>
          <p>{rulesText.deleteWhy(firing)}</p>
          <p class="buttons">
            <button type="submit" class="danger" data-testid="delete-now">{rulesText.deleteNow}</button>
            <button type="button" onClick={() => { deleting.value = false; }}>{rulesText.cancel}</button>
          </p>
        </Modal>
      )}
      {conflict.value && (
        <Conflict
          theirs={conflict.value.theirs} onClose={() => { conflict.value = undefined; }} onOverwrite={() => void overwrite()}
          onTheirs={(theirs) => { batch(() => { base.value = theirs; json.value = draftOf(theirs); conflict.value = undefined; }); void onChanged(); }}
        />
      )}
    </section>
  );
}

interface ConflictProps {
  theirs: SavedRule | undefined;
  onClose: () => void;
  onOverwrite: () => void;
  onTheirs: (theirs: SavedRule) => void;
}

function Conflict({ theirs, onClose, onOverwrite, onTheirs }: ConflictProps) {
  return (
    <Modal title={rulesText.conflictTitle} testId="conflict-dialog" onClose={onClose} onSubmit={() => (theirs ? onTheirs(theirs) : onOverwrite())}>
      <p>
        {theirs
          ? rulesText.conflictBy(theirs.updatedBy ? nameOf(theirs.updatedBy) : rulesText.someone, formatClock(parseTime(theirs.updatedAt) ?? 0), theirs.version)
          : rulesText.conflictGone}
      </p>
      {theirs && <p class="says"><span class="muted">{scopeWords(draftOf(theirs))}: </span>{sentence(draftOf(theirs))}</p>}
      <p class="buttons">
        {theirs && <button type="submit" class="primary" data-testid="load-theirs">{rulesText.loadTheirs}</button>}
        <button type="button" onClick={onOverwrite} data-testid="overwrite">{rulesText.overwrite}</button>
        <button type="button" onClick={onClose}>{rulesText.keepEditing}</button>
      </p>
    </Modal>
  );
}

function JsonView({ json, put, fixed }: { json: JsonObject; put: (json: JsonObject) => void; fixed: boolean }) {
  const typed = useSignal(JSON.stringify(json, null, 2));
  const parsed = parseRule(typed.value);
  // Changed from elsewhere: theirs loaded, changes discarded.
  if ('rule' in parsed && !sameJson(parsed.rule, json)) typed.value = JSON.stringify(json, null, 2);
  const type = (said: string) => {
    typed.value = said;
    const next = parseRule(said);
    if ('rule' in next) put(next.rule);
  };
  const wrong = 'wrong' in parsed;
  return (
    <label class="field">
      <span class="label">{rulesText.jsonLabel}</span>
      <textarea
        class="json" spellcheck={false} readOnly={fixed} value={typed.value} data-testid="rule-json" aria-invalid={wrong} aria-describedby="json-hint"
        rows={Math.min(32, typed.value.split('\n').length + 1)} onInput={(event) => type(event.currentTarget.value)}
      />
      <span id="json-hint" class={wrong ? 'refused' : 'muted'}>{wrong ? rulesText.jsonWrong(parsed.wrong) : rulesText.jsonHint}</span>
    </label>
  );
}
