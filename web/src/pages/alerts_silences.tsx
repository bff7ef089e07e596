import { useSignal } from '@preact/signals';
import { formatDayClock, parseTime } from '../format.ts';
import type { Reading } from '../store/reading.ts';
import { silenceState, type Silence } from '../store/silences.ts';
import { mayOperate, nameOf } from '../store/subject.ts';
import { useDashboard } from '../view/context.ts';
import { Modal } from '../view/modal.tsx';
import { ReadingNote } from '../view/reading.tsx';
import { alertsText } from './alerts_text.ts';
import { refusalWords } from './alerts_words.ts';

// "account:a/site:s/device:d" in words; what is left out or "*" is all of it.
function topicWords(topic: string): string {
  const [, site, device] = topic.split('/').map((part) => part.slice(part.indexOf(':') + 1));
  const named = (name: string | undefined) => name !== undefined && name !== '*';
  if (named(device)) return alertsText.device1(device!, named(site) ? site! : alertsText.everySite);
  return named(site) ? alertsText.site1(site!) : alertsText.everything;
}

const whatOf = ({ topic, rules }: Silence): string => `${topicWords(topic)}${rules ? `, ${alertsText.ofRules(rules.join(', '))}` : ''}`;
const clockOf = (time: string): string => formatDayClock(parseTime(time) ?? 0);

export function SilenceList({ silences, reading }: { silences: Silence[]; reading: Reading<{ silences: Silence[] }> }) {
  const dashboard = useDashboard();
  const { api, session } = dashboard;
  const ending = useSignal<Silence | undefined>(undefined);
  const refused = useSignal('');
  const now = dashboard.serverNow();
  const may = mayOperate(session.who.value);
  const end = async (silence: Silence) => {
    ending.value = undefined;
    try {
      await api.change('DELETE', `/api/silences/${encodeURIComponent(silence.id)}`);
      refused.value = '';
    } catch (error) {
      refused.value = refusalWords(error);
    }
    await reading.refresh();
  };
  const sorted = [...silences].sort((a, b) => a.endsAt.localeCompare(b.endsAt));
  return (
    <section class="card silences" aria-labelledby="silences-title" data-testid="silences">
      <div class="card-head"><h2 id="silences-title">{alertsText.silences}</h2><span class="muted num">{silences.length > 0 && silences.length}</span></div>
      <ReadingNote reading={reading} />
      {reading.answer.value && silences.length === 0 && <p class="note">{alertsText.silencesNone}</p>}
      {refused.value && <p class="note refused" role="alert">{refused.value}</p>}
      <ul>
        {sorted.map((silence) => (
          <li key={silence.id} class="silence" data-testid="silence-row" data-silence={silence.id}>
            <span class="silence-what">{whatOf(silence)}</span>
            <span class="silence-when num">
              {silenceState(silence, now) === 'upcoming'
                ? alertsText.upcomingFrom(clockOf(silence.startsAt), clockOf(silence.endsAt)) : alertsText.activeUntil(clockOf(silence.endsAt))}
            </span>
            <span class="silence-why muted">
              {silence.comment && <q>{silence.comment}</q>} {silence.createdBy && alertsText.by(nameOf(silence.createdBy))}
            </span>
            {may && (
              <button type="button" aria-label={alertsText.endNowOf(whatOf(silence))} data-testid="silence-end" onClick={() => { ending.value = silence; }}>
                {alertsText.endNow}
              </button>
            )}
          </li>
        ))}
      </ul>
      {ending.value && (
        <Modal title={alertsText.endTitle} testId="end-dialog" onClose={() => { ending.value = undefined; }} onSubmit={() => void end(ending.value!)}>
          <p>{whatOf(ending.value)}</p>
          <p class="muted">{alertsText.endWhy}</p>
          <p class="buttons">
            <button type="submit" class="primary" data-testid="end-now">{alertsText.endNow}</button>
            <button type="button" onClick={() => { ending.value = undefined; }}>{alertsText.cancel}</button>
          </p>
        </Modal>
      )}
    </section>
  );
}
