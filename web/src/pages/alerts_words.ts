// alerts_words.ts: how an alert stands, and what the server refused, in words.

import { ApiError } from '../api.ts';
import { formatDayClock } from '../format.ts';
import type { BookedAlert } from '../store/booked_alerts.ts';
import { saidToPeople } from '../store/subject.ts';
import { text } from '../text.ts';
import { alertsText } from './alerts_text.ts';

export function stateWords(alert: BookedAlert): string {
  if (!alert.open) return text.resolved;
  return alert.ack ? text.acknowledged : alert.stale ? text.alertStale : text.open;
}

export function refusalWords(error: unknown): string {
  if (!(error instanceof ApiError)) return alertsText.failed(alertsText.unreachable);
  const said = saidToPeople(error.message, formatDayClock);
  return error.status === 409 ? alertsText.late(said) : error.status === 403 ? alertsText.forbidden(said) : alertsText.failed(said);
}
