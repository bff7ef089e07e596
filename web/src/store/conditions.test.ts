import { expect, it } from 'vitest';
import { drops, findings, type Said } from './conditions.ts';
import { MetricsHistory, parseMetrics } from './metrics.ts';

function said(lines: string[], more: Partial<Said> = {}): Said {
  const history = new MetricsHistory();
  for (const [i, line] of lines.entries()) history.add({ atMs: i * 1000, metrics: parseMetrics(line) });
  return { history, storage: 'ok', notReady: false, slow: 0, failedNotifications: 0, ...more };
}
const names = (of: Said) => findings(of).map(({ what }) => what);

it('finds nothing where all is well, or nothing is known', () => {
  expect(names(said(['millstream_log_damaged_files_total 0']))).toEqual([]);
  expect(names(said([], { storage: undefined }))).toEqual([]);
});
it('tells the worst first', () => {
  const bad = said(['millstream_insecure_development_mode 1\nmillstream_log_damaged_rows_total 2'], { storage: 'full', slow: 3 });
  expect(findings(bad)).toEqual([
    { what: 'storage', severity: 'critical', counts: [1] }, { what: 'damaged', severity: 'warning', counts: [0, 2] },
    { what: 'slow', severity: 'warning', counts: [3] }, { what: 'development', severity: 'info', counts: [1] },
  ]);
});
it('takes falling behind only while it is recent', () => {
  const line = (count: number) => `millstream_engine_inbox_overflows_total ${count}`;
  expect(names(said([line(4), line(4)]))).toEqual([]);
  expect(names(said([line(4), line(5)]))).toEqual(['overflows']);
});
it('counts what was left out', () => {
  const { history } = said(['a 3\nb 0\nmillstream_ingest_rejected_total{reason="future"} 9\nmillstream_ingest_rejected_total{reason="name"} 0']);
  expect(drops(history, ['a', 'b', 'c'])).toEqual([{ key: 'future', count: 9 }, { key: 'a', count: 3 }]);
});
