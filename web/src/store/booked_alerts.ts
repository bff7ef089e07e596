// booked_alerts.ts: the alerts of the last 24 hours as the server's book has them, kept live by the alert events.
//
// Flow     pages of GET /api/alerts come in by put(), the dashboard's folded events by follow(); the newer of the two wins.
// Errors   what events alone do not tell (the first event, the highest severity so far) is as near as they allow until the
//          book is read again.

import { compareEventIds, kZeroId, parseEventId, type AlertData, type EventId, type Severity } from '../../sdk/index.ts';
import { parseTime } from '../format.ts';
import { parseDeviceTopic } from '../topic.ts';
import type { Alert } from './alerts.ts';
import { covers, type Silence } from './silences.ts';

export interface Ack {
  by: string;
  at: string;
  note: string;
}
export interface TimelineEntry {
  event: string;
  ts: string;
  state: AlertData['state'];
  severity: Severity;
  value: number;
  reason?: string;
  by?: string;
  note?: string;
}
export interface BookedAlert extends Omit<AlertData, 'ack'> {
  topic: string;
  open: boolean;
  stale: boolean;
  highestSeverity: Severity;
  firstEvent: string;
  lastEvent: string;
  updatedAt: string;
  reason?: string;
  flapping?: boolean;
  ack?: Ack;
  labels?: Record<string, string>;
}
export interface WholeAlert extends BookedAlert {
  timeline: TimelineEntry[];
  timelineDropped: number;
}
export interface AlertsAnswer {
  alerts: BookedAlert[];
  next: string | null;
}

export const kStates = ['open', 'unacknowledged', 'acknowledged', 'stale', 'resolved'] as const;
export type StateFilter = (typeof kStates)[number];
export interface AlertFilter {
  severities: readonly Severity[];  // none: all
  state: StateFilter | undefined;
  search: string;
}

export const kSeverities: readonly Severity[] = ['critical', 'warning', 'info'];
export const rankOf = (severity: Severity): number => kSeverities.indexOf(severity);

// What names an alert in an address. Published ids may be those of several alerts, or hold what a path cannot.
export const refOf = (alert: BookedAlert): string => (/[:/]/.test(alert.alertId) ? alert.firstEvent : alert.alertId);
const keyOf = (alert: Pick<BookedAlert, 'topic' | 'alertId'>): string => `${alert.topic} ${alert.alertId}`;
const eventOf = (alert: BookedAlert): EventId => parseEventId(alert.lastEvent) ?? kZeroId;

export class BookedAlerts {
  private readonly byKey = new Map<string, BookedAlert>();

  get size(): number { return this.byKey.size; }

  put(alerts: readonly BookedAlert[]): void {
    for (const alert of alerts) {
      const key = keyOf(alert);
      const before = this.byKey.get(key);
      if (!before || compareEventIds(eventOf(alert), eventOf(before)) >= 0) this.byKey.set(key, alert);
    }
  }

  // The events that the dashboard has folded, those of alerts that the book has and newer than it, and those of others.
  follow(events: readonly Alert[]): void {
    for (const event of events) {
      const before = this.byKey.get(event.key);
      if (!before || compareEventIds(event.at, eventOf(before)) > 0) this.byKey.set(event.key, withEvent(before, event));
    }
  }

  // All that were open at `asOfMs` are in `open`: what else is believed open since before then ended unseen.
  replaceOpen(open: readonly BookedAlert[], asOfMs: number): void {
    const named = new Set(open.map(keyOf));
    for (const [key, alert] of this.byKey) {
      if (alert.open && !named.has(key) && eventOf(alert).ms < asOfMs) this.byKey.delete(key);
    }
    this.put(open);
  }

  find(ref: string): BookedAlert | undefined {
    for (const alert of this.byKey.values()) if (alert.alertId === ref || alert.firstEvent === ref) return alert;
    return undefined;
  }

  // Open ones first, the most severe first, then the newest; of the ended those of the span.
  list(filter: AlertFilter, sinceMs: number): BookedAlert[] {
    return [...this.byKey.values()]
      .filter((alert) => (alert.open || endedMs(alert) >= sinceMs) && matches(alert, filter))
      .sort((a, b) =>
        Number(b.open) - Number(a.open) || (a.open ? rankOf(a.severity) - rankOf(b.severity) : 0) ||
        compareEventIds(eventOf(b), eventOf(a)));
  }
}

export function endedMs(alert: BookedAlert): number {
  return parseTime(alert.endedAt) ?? parseTime(alert.updatedAt) ?? 0;
}

function withEvent(before: BookedAlert | undefined, { data, topic, at, open, changedMs }: Alert): BookedAlert {
  const { ack, ...rest } = data;
  const id = `${at.ms}-${at.seq}`;
  const said = data.state === 'acknowledged' || data.state === 'unacknowledged';
  return {
    ...rest, topic, open,
    stale: open && (data.state === 'stale' || (said && before?.stale === true)),
    highestSeverity: before && rankOf(before.highestSeverity) < rankOf(data.severity) ? before.highestSeverity : data.severity,
    firstEvent: before?.firstEvent ?? id,
    lastEvent: id,
    updatedAt: new Date(changedMs).toISOString(),
    ...(ack ? { ack: ack as Ack } : {}),
  };
}

export function matches(alert: BookedAlert, { severities, state, search }: AlertFilter): boolean {
  if (severities.length > 0 && !severities.includes(alert.severity)) return false;
  if (state === 'resolved' ? alert.open : state !== undefined && !alert.open) return false;
  if (state === 'stale' && !alert.stale) return false;
  if (state === 'acknowledged' && !alert.ack) return false;
  if (state === 'unacknowledged' && alert.ack) return false;
  const site = parseDeviceTopic(alert.topic)?.site ?? '';
  const said = [alert.message, alert.deviceId, site, alert.ruleName, alert.ruleId, alert.field, alert.ack?.by ?? '']
    .join('\n').toLowerCase();
  return search.toLowerCase().split(/\s+/).every((word) => said.includes(word));
}

export function silencesOf(alert: BookedAlert, silences: readonly Silence[], nowMs: number): Silence[] {
  return alert.open ? silences.filter((silence) => covers(silence, alert, nowMs)) : [];
}

// A span around an alert that shows what led to it and what followed, its end not after `nowMs`.
export function chartSpan(alert: BookedAlert, nowMs: number): { startMs: number; endMs: number } {
  const started = parseTime(alert.startedAt) ?? nowMs;
  const ended = alert.open ? nowMs : endedMs(alert);
  const margin = Math.min(Math.max((ended - started) / 2, 5 * 60_000), 6 * 3600_000);
  return { startMs: started - margin, endMs: Math.min(ended + margin, nowMs) };
}
