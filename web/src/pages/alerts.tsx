// alerts.tsx: the alerts of the last 24 hours, one of them in detail, and the silences.
//
// Flow     the server's book is read when the page opens, once a minute and after the connection was away; in between, the
//          events that the dashboard folds keep it live.

import { useEffect, useMemo, useRef } from 'preact/hooks';
import { useSignal } from '@preact/signals';
import { parseTime } from '../format.ts';
import { kAlertSpanMs } from '../store/alerts.ts';
import { BookedAlerts, type AlertsAnswer, type BookedAlert } from '../store/booked_alerts.ts';
import type { Silence } from '../store/silences.ts';
import { useDashboard } from '../view/context.ts';
import { lazy } from '../view/lazy.tsx';
import { useReading } from '../view/reading.tsx';
import { BookedList } from './alerts_list.tsx';
import { SilenceList } from './alerts_silences.tsx';
import './alerts.css';

const AlertDetail = lazy(() => import('./alerts_detail.tsx'));

const kReadMs = 60_000;
const kSilencesMs = 15_000;
const kOpenPage = 1000;
const kEndedPage = 200;
const kBehindMs = 5_000;  // what the clocks of server and page may differ, and an event may take

export interface Book {
  alerts: BookedAlerts;
  older: string | undefined;  // cursor of what ended earlier
  loadOlder: () => void;
  reading: ReturnType<typeof useReading<{ older: string | null }>>;
  put: (alert: BookedAlert) => void;
}

function useBook(): Book {
  const dashboard = useDashboard();
  const { api } = dashboard;
  const alerts = useMemo(() => new BookedAlerts(), [dashboard.session.who.value?.subject]);
  const older = useSignal<string | null | undefined>(undefined);
  const changed = useSignal(0);
  useEffect(() => { older.value = undefined; }, [alerts]);
  const followed = useRef(-1);
  const ended = (cursor?: string) => api.get<AlertsAnswer>('/api/alerts', {
    state: 'resolved', since: new Date(dashboard.serverNow() - kAlertSpanMs).toISOString(), limit: kEndedPage, cursor,
  });
  const reading = useReading(async () => {
    const asOfMs = dashboard.serverNow() - kBehindMs;
    const open: BookedAlert[] = [];
    for (let cursor: string | null | undefined; cursor !== null;) {
      const page: AlertsAnswer = await api.get('/api/alerts', { state: 'open', limit: kOpenPage, cursor });
      open.push(...page.alerts);
      cursor = page.next;
    }
    const past = await ended();
    alerts.replaceOpen(open, asOfMs);
    alerts.put(past.alerts);
    followed.current = -1;
    if (older.value === undefined) older.value = past.next;
    return { older: past.next };
  }, [alerts], kReadMs);
  const live = dashboard.live.value.state === 'connected';
  const wasLive = useRef(live);
  useEffect(() => {
    if (live && !wasLive.current) void reading.refresh();
    wasLive.current = live;
  }, [live]);
  const loadOlder = async () => {
    const page = await ended(older.value ?? undefined);
    alerts.put(page.alerts);
    older.value = page.next;
  };
  dashboard.drawn.value;
  changed.value;
  if (followed.current !== dashboard.alerts.shape) {
    followed.current = dashboard.alerts.shape;
    alerts.follow(dashboard.alerts.list());
  }
  return {
    alerts, reading,
    older: older.value ?? undefined,
    loadOlder: () => void loadOlder().catch(() => void reading.refresh()),
    put: (alert) => { alerts.put([alert]); ++changed.value; },
  };
}

export default function AlertsPage() {
  const dashboard = useDashboard();
  const { place, api } = dashboard;
  const book = useBook();
  const silences = useReading(() => api.get<{ silences: Silence[] }>('/api/silences'), [], kSilencesMs);
  const ref = place.get('alert');
  const opened = useRef<string | undefined>(undefined);
  const landed = useRef(ref);  // the address one came with
  useEffect(() => {
    if (ref !== landed.current) landed.current = undefined;
    // Back from the detail to the row it was opened from.
    const before = opened.current;
    opened.current = ref;
    if (ref !== undefined || before === undefined) return;
    const row = document.querySelector<HTMLElement>(`[data-ref="${CSS.escape(before)}"]`);
    (row ?? document.getElementById('alarms-title'))?.focus();
  }, [ref]);
  const list = (silences.answer.value?.silences ?? []).filter((silence) => (parseTime(silence.endsAt) ?? 0) > dashboard.serverNow());
  return (
    <div class={ref === undefined ? 'alarms' : 'alarms with-detail'} data-testid="alerts-page">
      <div class="alarm-side">
        <BookedList book={book} silences={list} chosen={ref} />
        <SilenceList silences={list} reading={silences} />
      </div>
      {ref !== undefined && (
        <AlertDetail
          key={ref} id={ref} book={book} silences={list} onSilenced={() => void silences.refresh()}
          byHand={ref !== landed.current}
        />
      )}
    </div>
  );
}
