// status_notifications.tsx: what was told through which channel, and how that went.

import { useSignal } from '@preact/signals';
import type { Severity } from '../../sdk/index.ts';
import { ApiError, type Api } from '../api.ts';
import { formatDayClock, parseTime } from '../format.ts';
import type { Reading } from '../store/reading.ts';
import { SeverityShape } from '../view/icons.tsx';
import { ReadingNote } from '../view/reading.tsx';
import { words } from './status_text.ts';

export interface Delivery {
  notificationId: string;
  channel: string;
  severity: Severity;
  firing: number;
  resolved: number;
  test?: boolean;
  decidedAt: string;
  state: string;
  attempts: number;
  reason?: string;
}
export interface Notifications {
  deliveries: Delivery[];
  channels: { name: string; type: string; pending: number }[];
}

// Undefined for who may not see them.
export async function readNotifications(api: Api): Promise<Notifications | 'forbidden'> {
  try {
    const [{ notifications }, { channels }] = await Promise.all([
      api.get<{ notifications: Delivery[] }>('/api/notifications', { limit: 100 }),
      api.get<{ channels: Notifications['channels'] }>('/api/channels'),
    ]);
    return { deliveries: notifications, channels };
  } catch (error) {
    if (error instanceof ApiError && error.status === 403) return 'forbidden';
    throw error;
  }
}

export const hasFailed = ({ state }: Delivery): boolean => ['failed', 'gave_up', 'dropped'].includes(state);

function Row({ delivery }: { delivery: Delivery }) {
  const at = parseTime(delivery.decidedAt);
  const failed = hasFailed(delivery);
  return (
    <li class={`delivery ${failed ? 'bad' : ''}`} data-testid="delivery" data-state={delivery.state}>
      <span class="delivery-state">{(failed || delivery.state === 'retrying') && <SeverityShape severity={failed ? 'critical' : 'warning'} />}{words.deliveries[delivery.state] ?? delivery.state}</span>
      <span class="cut" title={delivery.channel}>{delivery.channel}</span>
      <span>{delivery.test ? words.test : words.counted(delivery.firing, delivery.resolved)}</span>
      <span class="muted delivery-why">{[delivery.reason?.replaceAll('_', ' '), words.attempts(delivery.attempts)].filter(Boolean).join(', ')}</span>
      <span class="muted num delivery-when">{at === undefined ? '' : formatDayClock(at)}</span>
    </li>
  );
}

export function NotificationLog({ reading }: { reading: Reading<Notifications | 'forbidden'> }) {
  const failedOnly = useSignal(false);
  const answer = reading.answer.value;
  const all = typeof answer === 'object' ? answer.deliveries : [];
  const shown = failedOnly.value ? all.filter(hasFailed) : all;
  const none = answer === 'forbidden' ? words.notificationsWho
    : answer?.channels.length === 0 && all.length === 0 ? words.channelsNone : all.length === 0 ? words.notificationsNone : words.noneFailed;
  return (
    <section class="card" aria-labelledby="notifications-title" data-testid="notifications">
      <div class="card-head">
        <h2 id="notifications-title">{words.notifications}</h2>
        <span class="grow" />
        {all.length > 0 && (
          <label class="tick"><input type="checkbox" checked={failedOnly.value} onChange={(event) => { failedOnly.value = event.currentTarget.checked; }} />{words.onlyFailed}</label>
        )}
      </div>
      <ReadingNote reading={reading} />
      {answer !== undefined && shown.length === 0 && <p class="note">{none}</p>}
      {shown.length > 0 && <ul class="deliveries" tabIndex={0} aria-labelledby="notifications-title">{shown.map((each) => <Row key={each.notificationId} delivery={each} />)}</ul>}
    </section>
  );
}
