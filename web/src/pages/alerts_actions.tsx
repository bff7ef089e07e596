// alerts_actions.tsx: what one may do with an alert, and what the server said to it, in words.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { ApiError } from '../api.ts';
import { formatDayClock, parseTime } from '../format.ts';
import type { BookedAlert, WholeAlert } from '../store/booked_alerts.ts';
import { parseSpan, type Silence } from '../store/silences.ts';
import { mayOperate } from '../store/subject.ts';
import { parseDeviceTopic } from '../topic.ts';
import { useDashboard } from '../view/context.ts';
import { Modal } from '../view/modal.tsx';
import { alertsText } from './alerts_text.ts';
import { refusalWords } from './alerts_words.ts';

type Command = 'ack' | 'unack' | 'close';
const kNoteBytes = 1024;
const kSpans = { '1h': 3600_000, '4h': 4 * 3600_000, '1d': 86_400_000 } as const;
type Span = keyof typeof kSpans | 'custom';
const kLongestMs = 366 * 86_400_000;

interface Props {
  id: string;
  alert: BookedAlert;
  onWhole: (alert: WholeAlert) => void;
  onLate: () => void;
  onSilenced: () => void;
}

export function AlertActions({ id, alert, onWhole, onLate, onSilenced }: Props) {
  const { api, session } = useDashboard();
  const note = useSignal('');
  const busy = useSignal(false);
  const said = useSignal('');
  const asking = useSignal<'close' | 'silence' | undefined>(undefined);
  const outcome = useRef<HTMLParagraphElement>(null);
  // The button that was pressed may be gone: the focus goes to what came of it.
  useEffect(() => { if (said.value) outcome.current?.focus(); }, [said.value]);

  const tell = async (command: Command) => {
    if (busy.value) return;
    busy.value = true;
    said.value = '';
    try {
      const response = await api.open(`/api/alerts/${encodeURIComponent(id)}/${command}`, {
        method: 'POST', headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(note.value ? { note: note.value } : {}),
      });
      onWhole((await response.json()) as WholeAlert);
      said.value = response.status === 202 ? alertsText.accepted : alertsText.done[command];
      note.value = '';
    } catch (error) {
      if (error instanceof ApiError && error.status === 409) onLate();
      if (error instanceof ApiError && error.status === 401) session.refused(401);
      said.value = refusalWords(error);
    }
    busy.value = false;
    asking.value = undefined;
  };

  if (!mayOperate(session.who.value)) return <p class="note" data-testid="viewer-note">{alertsText.viewerOnly}</p>;
  return (
    <section class="actions" aria-label={alertsText.actions}>
      {alert.open && (
        <form onSubmit={(event) => { event.preventDefault(); void tell(alert.ack ? 'unack' : 'ack'); }}>
          <label class="field">
            <span class="label">{alertsText.note}</span>
            <input
              data-testid="alert-note" maxLength={kNoteBytes / 4} placeholder={alertsText.noteHint} value={note.value} autocomplete="off"
              onInput={(event) => { note.value = event.currentTarget.value; }}
            />
          </label>
          <button type="submit" class={alert.ack ? '' : 'primary'} data-testid={alert.ack ? 'unack' : 'ack'} disabled={busy.value}>
            {alert.ack ? alertsText.unack : alertsText.ack}
          </button>
          <button type="button" data-testid="close" disabled={busy.value} onClick={() => { asking.value = 'close'; }}>{alertsText.closeAlert}</button>
          <button type="button" data-testid="silence" disabled={busy.value} onClick={() => { asking.value = 'silence'; }}>{alertsText.silence}</button>
        </form>
      )}
      <p class="outcome" role="status" tabIndex={-1} ref={outcome} data-testid="outcome">{said.value}</p>
      {asking.value === 'close' && (
        <Modal title={alertsText.closeTitle} testId="close-dialog" onClose={() => { asking.value = undefined; }} onSubmit={() => void tell('close')}>
          <p>{alert.ruleId.includes(':') ? alertsText.closePublished : alertsText.closeWhy}</p>
          <label class="field">
            <span class="label">{alertsText.note}</span>
            <input
              data-testid="close-note" maxLength={kNoteBytes / 4} placeholder={alertsText.noteHint} value={note.value} autocomplete="off"
              onInput={(event) => { note.value = event.currentTarget.value; }}
            />
          </label>
          <p class="buttons">
            <button type="submit" class="primary" disabled={busy.value} data-testid="close-now">{alertsText.closeNow}</button>
            <button type="button" onClick={() => { asking.value = undefined; }}>{alertsText.cancel}</button>
          </p>
        </Modal>
      )}
      {asking.value === 'silence' && (
        <SilenceDialog alert={alert} onClose={() => { asking.value = undefined; }} onDone={(silence) => {
          asking.value = undefined;
          said.value = alertsText.silencedNow(formatDayClock(parseTime(silence.endsAt) ?? 0));
          onSilenced();
        }} />
      )}
    </section>
  );
}

// What it may be of: a topic, and the rules if not all.
function choicesOf(alert: BookedAlert, allSites: boolean): { word: string; topic: string; rules?: string[] }[] {
  const names = parseDeviceTopic(alert.topic);
  if (!names) return [{ word: alertsText.silenceDevice(alert.deviceId), topic: alert.topic }];
  const [account, site] = [`account:${names.account}`, `account:${names.account}/site:${names.site}`];
  const rule = alert.ruleName || alert.ruleId;
  return [
    { word: alertsText.silenceDevice(names.device), topic: alert.topic },
    { word: alertsText.silenceSite(names.site), topic: site },
    ...(alert.ruleId.includes(':') ? [] : [{
      word: allSites ? alertsText.silenceRule(rule) : alertsText.silenceRuleAt(rule, names.site),
      topic: allSites ? account : site, rules: [alert.ruleId],
    }]),
  ];
}

function SilenceDialog({ alert, onClose, onDone }: { alert: BookedAlert; onClose: () => void; onDone: (silence: Silence) => void }) {
  const { api, session } = useDashboard();
  const who = session.who.value;
  const choices = choicesOf(alert, !who?.sites && !who?.devices);
  const of = useSignal(0);
  const span = useSignal<Span>('1h');
  const custom = useSignal('');
  const comment = useSignal('');
  const busy = useSignal(false);
  const refused = useSignal('');
  const customMs = parseSpan(custom.value);
  const wrong = span.value === 'custom' && (customMs === undefined || customMs < 1000 || customMs > kLongestMs);
  const silence = async () => {
    if (busy.value || wrong) return;
    busy.value = true;
    refused.value = '';
    const { topic, rules } = choices[of.value]!;
    const ms = span.value === 'custom' ? customMs! : kSpans[span.value];
    try {
      onDone(await api.change<Silence>('POST', '/api/silences', {
        topic, duration: `${Math.round(ms / 1000)}s`, ...(rules ? { rules } : {}), ...(comment.value ? { comment: comment.value } : {}),
      }));
    } catch (error) {
      refused.value = refusalWords(error);
    }
    busy.value = false;
  };
  return (
    <Modal title={alertsText.silenceTitle} testId="silence-dialog" onClose={onClose} onSubmit={() => void silence()}>
      <p>{alertsText.silenceWhy}</p>
      <fieldset>
        <legend>{alertsText.silenceOf}</legend>
        {choices.map(({ word }, i) => (
          <label key={word} class="choice">
            <input type="radio" name="silence-of" checked={of.value === i} onChange={() => { of.value = i; }} data-testid={`silence-of-${i}`} /> {word}
          </label>
        ))}
      </fieldset>
      <fieldset>
        <legend>{alertsText.silenceFor}</legend>
        <div class="choices">
          {(Object.keys(alertsText.silenceSpans) as Span[]).map((key) => (
            <label key={key} class="choice">
              <input type="radio" name="silence-for" checked={span.value === key} onChange={() => { span.value = key; }} data-testid={`silence-for-${key}`} /> {alertsText.silenceSpans[key]}
            </label>
          ))}
        </div>
        {span.value === 'custom' && (
          <label class="field">
            <span class="label">{alertsText.custom}</span>
            <input
              value={custom.value} data-testid="silence-custom" aria-describedby="silence-custom-hint" aria-invalid={custom.value !== '' && wrong}
              onInput={(event) => { custom.value = event.currentTarget.value; }} autocomplete="off" required
            />
            <span id="silence-custom-hint" class={custom.value !== '' && wrong ? 'refused' : 'muted'}>
              {custom.value !== '' && wrong ? alertsText.customWrong : alertsText.customHint}
            </span>
          </label>
        )}
      </fieldset>
      <label class="field">
        <span class="label">{alertsText.comment}</span>
        <input
          value={comment.value} data-testid="silence-comment" placeholder={alertsText.commentHint} maxLength={kNoteBytes / 4} autocomplete="off"
          onInput={(event) => { comment.value = event.currentTarget.value; }}
        />
      </label>
      <p class="refused" role="alert">{refused.value}</p>
      <p class="buttons">
        <button type="submit" class="primary" disabled={busy.value || wrong} data-testid="silence-now">{alertsText.silenceNow}</button>
        <button type="button" onClick={onClose}>{alertsText.cancel}</button>
      </p>
    </Modal>
  );
}
