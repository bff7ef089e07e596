// announcer.ts: new alerts gathered for a moment and told at once, so that a storm is one sound and one line.

import type { Alert } from './alerts.ts';

export const kGatherMs = 1_000;
export const kToldSingly = 3;

export interface Told {
  title: string;
  body: string;
  tag: string;  // one of the same tag takes the place of the last
  alert?: Alert;
}
export interface Words {
  severity: Record<string, string>;
  many: (count: number) => string;
}

export class Announcer {
  private waiting: Alert[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly words: Words, private readonly tell: (told: Told[], alerts: Alert[]) => void) {}

  add(alert: Alert): void {
    this.waiting.push(alert);
    this.timer ??= setTimeout(() => this.flush(), kGatherMs);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.waiting = [];
  }

  private flush(): void {
    const alerts = this.waiting;
    this.stop();
    this.tell(alerts.length <= kToldSingly ? alerts.map((alert) => this.one(alert)) : [this.many(alerts)], alerts);
  }

  private one(alert: Alert): Told {
    const { severity, deviceId, message, ruleName } = alert.data;
    return { title: `${this.words.severity[severity]}: ${deviceId}`, body: message || ruleName, tag: alert.key, alert };
  }

  private many(alerts: Alert[]): Told {
    const lines = alerts.slice(0, kToldSingly).map((alert) => alert.data.message || alert.data.ruleName);
    return { title: this.words.many(alerts.length), body: lines.join('\n'), tag: 'millstream' };
  }
}
