// toasts.ts: the few newest alerts, shown for a while. A critical one stays until it is dismissed or over.

import type { Alert, Alerts } from './alerts.ts';

export interface Toast {
  alert: Alert;
  untilMs: number;  // Infinity: stays
}

export const kToastsMax = 3;
const kShownMs = 8_000;

export class Toasts {
  list: Toast[] = [];  // newest last
  more = 0;            // new alerts that found no room, for as long as a toast is shown
  private moreUntilMs = 0;

  add(alert: Alert, nowMs: number): void {
    const critical = alert.data.severity === 'critical';
    this.dismiss(alert.key);
    this.list.push({ alert, untilMs: critical ? Infinity : nowMs + kShownMs });
    while (this.list.length > kToastsMax) {
      // The oldest that is not critical gives way; among critical ones the oldest.
      const mild = this.list.findIndex((toast) => toast.alert.data.severity !== 'critical');
      this.list.splice(Math.max(0, mild), 1);
      ++this.more;
      this.moreUntilMs = nowMs + kShownMs;
    }
  }

  dismiss(key: string): void {
    this.list = this.list.filter((toast) => toast.alert.key !== key);
  }

  // Drops what has been shown long enough and what is over.
  advance(nowMs: number, alerts: Alerts): void {
    if (this.moreUntilMs <= nowMs) this.more = 0;
    for (const toast of this.list) {
      const alert = alerts.get(toast.alert.key);
      if (toast.untilMs <= nowMs || !alert?.open || alert.acknowledged) this.dismiss(toast.alert.key);
      else toast.alert = alert;
    }
  }
}
