// alerts.ts: alert events folded into alerts: one entry per topic and alertId, the newest event of it wins.

import {
  compareEventIds, kZeroId, parseEventId, type AlertData, type AlertEvent, type EventId, type Severity,
} from '../../sdk/index.ts';
import { parseTime } from '../format.ts';

export interface Alert {
  key: string;
  data: AlertData;
  topic: string;
  at: EventId;
  changedMs: number;
  acknowledged: boolean;
  acknowledgedAt: EventId;  // the newest event that said so, or said not
  open: boolean;
}

export const kAlertSpanMs = 24 * 3600 * 1000;
const kAlertsMax = 5_000;
const kRank: Record<Severity, number> = { critical: 0, warning: 1, info: 2 };

// Published ids are their publishers' choice: two may use one, each on topics of its own.
export const alertKey = ({ topic, data }: Pick<AlertEvent, 'topic' | 'data'>): string => `${topic} ${data.alertId}`;

export class Alerts {
  private readonly byKey = new Map<string, Alert>();
  shape = 0;
  private listed = { shape: -1, alerts: [] as Alert[] };

  // Gives back the alert when this event made it newly open or worse: what a viewer should be told of.
  put(event: AlertEvent): Alert | undefined {
    const { data } = event;
    const at = parseEventId(event.id) ?? kZeroId;
    const key = alertKey(event);
    const before = this.byKey.get(key);
    if (before && compareEventIds(at, before.at) <= 0) {
      this.acknowledge(before, data, at);
      return undefined;
    }
    const alert: Alert = {
      key, data, topic: event.topic, at,
      acknowledged: before?.acknowledged ?? false,
      acknowledgedAt: before?.acknowledgedAt ?? kZeroId,
      changedMs: parseTime(event.ts) ?? at.ms,
      open: data.state !== 'resolved',
    };
    this.acknowledge(alert, data, at);
    this.byKey.set(key, alert);
    ++this.shape;
    const opened = alert.open && data.state === 'firing' && !before?.open;
    const worse = alert.open && before?.open === true && kRank[data.severity] < kRank[before.data.severity];
    return opened || worse ? alert : undefined;
  }

  // Every alert that was open at `asOf`. One we believe open that is not among them ended where we could not see it.
  replaceOpen(open: AlertEvent[], asOf: EventId): void {
    for (const event of open) this.put(event);
    const named = new Set(open.map(alertKey));
    for (const [key, alert] of this.byKey) {
      if (!alert.open || named.has(key) || compareEventIds(alert.at, asOf) > 0) continue;
      this.byKey.delete(key);
      ++this.shape;
    }
  }

  get(key: string): Alert | undefined { return this.byKey.get(key); }

  // Open ones first, the most severe first, then the newest. Sorted again only when something has changed.
  list(): Alert[] {
    if (this.listed.shape === this.shape) return this.listed.alerts;
    const alerts = [...this.byKey.values()].sort((a, b) =>
      Number(b.open) - Number(a.open) ||
      (a.open ? kRank[a.data.severity] - kRank[b.data.severity] : 0) ||
      compareEventIds(b.at, a.at));
    this.listed = { shape: this.shape, alerts };
    return alerts;
  }

  openCount(): Record<Severity, number> & { all: number; unacknowledged: number } {
    const counts = { info: 0, warning: 0, critical: 0, all: 0, unacknowledged: 0 };
    for (const alert of this.byKey.values()) {
      if (!alert.open) continue;
      ++counts.all;
      ++counts[alert.data.severity];
      if (!alert.acknowledged) ++counts.unacknowledged;
    }
    return counts;
  }

  // Pages of the past come newest first, so an acknowledgement may arrive after what followed it.
  private acknowledge(alert: Alert, data: AlertData, at: EventId): void {
    const said = data.state === 'acknowledged' || data.state === 'unacknowledged' || data.ack !== undefined;
    if (!said || compareEventIds(at, alert.acknowledgedAt) < 0) return;
    alert.acknowledged = data.state !== 'unacknowledged';
    alert.acknowledgedAt = at;
    ++this.shape;
  }

  // Resolved longer ago than the list reaches back, and, should there be very many, the oldest resolved.
  prune(nowMs: number): void {
    const before = this.byKey.size;
    for (const [key, alert] of this.byKey) {
      if (!alert.open && alert.changedMs < nowMs - kAlertSpanMs) this.byKey.delete(key);
    }
    if (this.byKey.size > kAlertsMax) {
      const resolved = this.list().filter((alert) => !alert.open).reverse();
      for (const alert of resolved.slice(0, this.byKey.size - kAlertsMax)) this.byKey.delete(alert.key);
    }
    if (this.byKey.size !== before) ++this.shape;
  }

  clear(): void {
    this.byKey.clear();
    ++this.shape;
  }
}
