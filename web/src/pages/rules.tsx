// rules.tsx: the alert rules, and one of them in the editor, which is loaded when it is first needed.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { draftOf, type SavedRule } from '../store/rule_draft.ts';
import { mayAdmin } from '../store/subject.ts';
import { text } from '../text.ts';
import { useDashboard } from '../view/context.ts';
import { lazy } from '../view/lazy.tsx';
import { PageLink } from '../view/page_link.tsx';
import { ReadingNote, useReading } from '../view/reading.tsx';
import { StaleNote } from '../view/stale_note.tsx';
import { rulesText } from './rules_text.ts';
import { kNewRule, refusalWords, ruleUrl, scopeWords, sentence } from './rules_words.ts';
import './rules.css';

const kReadMs = 5_000;
const RuleEditor = lazy(() => import('./rules_editor.tsx'));

function Tally({ rule }: { rule: SavedRule }) {
  const { status } = rule;
  if (!rule.enabled) return <span class="muted">{rulesText.disabled}</span>;
  if (!status) return <span class="muted">{rulesText.notInForce}</span>;
  return (
    <span class="tally num live-value">
      {status.firing > 0 && <strong>{rulesText.firing(status.firing)}</strong>}
      {status.pending > 0 && <span>{rulesText.pending(status.pending)}</span>}
      <span class="muted">{rulesText.watches(status.devices)}</span>
      {status.limited && <span class="tag warn">{rulesText.limited}</span>}
    </span>
  );
}

function Row({ rule, may, onChanged }: { rule: SavedRule; may: boolean; onChanged: (said: string) => void }) {
  const { api } = useDashboard();
  const busy = useSignal(false);
  const fixed = rule.source !== 'api';
  const draft = draftOf(rule);
  const toggle = async () => {
    busy.value = true;
    try {
      await api.change('PUT', ruleUrl(rule.id), { ...draft, enabled: !rule.enabled }, { 'If-Match': `"${rule.version}"` });
      onChanged('');
    } catch (error) {
      onChanged(refusalWords(error));
    }
    busy.value = false;
  };
  const why = fixed ? rulesText.sourceWhy[rule.source] : may ? undefined : rulesText.viewerOnly;
  return (
    <li class="rule" data-testid="rule-row" data-rule={rule.id} data-enabled={rule.enabled} data-source={rule.source}>
      <button
        type="button" class="switch" role="switch" aria-checked={rule.enabled} aria-label={rulesText.enabledOf(rule.name)} title={why}
        disabled={fixed || !may || busy.value} onClick={() => void toggle()} data-testid="rule-enabled"
      ><span /></button>
      <PageLink class="rule-name" page="rules" values={{ rule: rule.id }} testId="rule-open">{rule.name}</PageLink>
      <span class="rule-says"><span class="muted">{scopeWords(draft)}: </span>{sentence(draft)}</span>
      <Tally rule={rule} />
      <span class="rule-source muted" title={why}>{rulesText.source[rule.source]}</span>
    </li>
  );
}

export default function RulesPage() {
  const { api, place, session } = useDashboard();
  const reading = useReading(() => api.get<{ rules: SavedRule[] }>('/api/rules'), [], kReadMs);
  const search = useSignal('');
  const refused = useSignal('');
  const may = mayAdmin(session.who.value);
  const id = place.get('rule');
  const rules = reading.answer.value?.rules;
  useEffect(() => { if (id === undefined) void reading.refresh(); }, [id]);
  if (id !== undefined) {
    return <RuleEditor key={id} id={id} rule={rules?.find((rule) => rule.id === id)} known={rules !== undefined} onChanged={() => reading.refresh()} />;
  }
  const words = search.value.toLowerCase().split(/\s+/);
  const shown = (rules ?? []).filter((rule) => {
    const said = `${rule.id}\n${rule.name}\n${scopeWords(draftOf(rule))}\n${sentence(draftOf(rule))}`.toLowerCase();
    return words.every((word) => said.includes(word));
  }).sort((a, b) => (b.status?.firing ?? 0) - (a.status?.firing ?? 0) || a.name.localeCompare(b.name));
  return (
    <section class="card rules" aria-labelledby="rules-title" data-testid="rules-page">
      <div class="card-head">
        <h2 id="rules-title">{rulesText.title}</h2>
        <span class="muted num">{rules && text.shownOf(shown.length, rules.length)}</span>
        <StaleNote />
        <span class="grow" />
        <input
          type="search" aria-label={rulesText.search} placeholder={rulesText.searchHint} value={search.value} data-testid="rule-search"
          onInput={(event) => { search.value = event.currentTarget.value; }}
        />
        {may && <PageLink class="button primary" page="rules" values={{ rule: kNewRule }} testId="rule-new">{rulesText.make}</PageLink>}
      </div>
      {!may && <p class="note" data-testid="viewer-note">{rulesText.viewerOnly}</p>}
      <ReadingNote reading={reading} />
      <p class="note refused" role="alert" data-testid="rules-refused">{refused.value}</p>
      {rules?.length === 0 && <p class="note" data-testid="rules-none">{rulesText.none}</p>}
      {rules !== undefined && rules.length > 0 && shown.length === 0 && <p class="note">{rulesText.noMatch}</p>}
      <ul>
        {shown.map((rule) => (
          <Row key={rule.id} rule={rule} may={may} onChanged={(said) => { refused.value = said; void reading.refresh(); }} />
        ))}
      </ul>
    </section>
  );
}
