// conditions.ts: what is not as it should be, the worst first, from what the server says of itself.

import type { Severity } from '../../sdk/index.ts';
import { labelled, type MetricsHistory } from './metrics.ts';

export type Condition =
  | 'storage' | 'notReady' | 'damaged' | 'unsealable' | 'unsynced' | 'slow' | 'overflows' | 'differences' | 'shed' | 'refusedDevices'
  | 'failedNotifications' | 'development' | 'insecureCookies' | 'selfSigned';

export interface Finding {
  what: Condition;
  severity: Severity;
  counts: number[];
}

export interface Said {
  history: MetricsHistory;
  storage: string | undefined;
  notReady: boolean;
  slow: number;
  failedNotifications: number;
}

const kOrder: Severity[] = ['critical', 'warning', 'info'];

export function findings({ history, storage, notReady, slow, failedNotifications }: Said): Finding[] {
  const { now } = history;
  const value = (name: string) => now.get(`millstream_${name}`) ?? 0;
  const found: Finding[] = [];
  const note = (what: Condition, severity: Severity, ...counts: number[]) => {
    if (counts.some((count) => count > 0)) found.push({ what, severity, counts });
  };
  note('notReady', 'critical', Number(notReady));
  note('storage', 'critical', Number(storage !== undefined && storage !== 'ok'));
  note('damaged', 'warning', value('log_damaged_files_total'), value('log_damaged_rows_total'));
  note('unsealable', 'warning', value('log_unsealable_hours_total'));
  note('differences', 'warning', value('engine_replay_differences_total'));
  note('overflows', 'warning', history.more('millstream_engine_inbox_overflows_total'));
  note('shed', 'warning', value('rule_events_shed'));
  note('refusedDevices', 'warning', value('rule_instances_refused'));
  note('slow', 'warning', slow);
  note('failedNotifications', 'warning', failedNotifications);
  note('unsynced', 'warning', value('unsynced_commits'));
  note('development', 'info', value('insecure_development_mode'));
  note('insecureCookies', 'info', value('insecure_cookies'));
  note('selfSigned', 'info', value('insecure_certificate'));
  return found.sort((a, b) => kOrder.indexOf(a.severity) - kOrder.indexOf(b.severity));
}

export interface Drop {
  key: string;     // the metric, or of rejected points the reason
  count: number;
}

// Counters that are not zero, the largest first.
export function drops(history: MetricsHistory, keys: readonly string[]): Drop[] {
  const rejected = labelled(history.now, 'millstream_ingest_rejected_total', 'reason').map(([key, count]) => ({ key, count }));
  return [...keys.map((key) => ({ key, count: history.now.get(key) ?? 0 })), ...rejected]
    .filter(({ count }) => count > 0).sort((a, b) => b.count - a.count);
}
