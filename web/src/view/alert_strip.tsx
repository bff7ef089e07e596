// alert_strip.tsx: what needs someone now, in one line over everything else: the worst alert nobody has acknowledged.

import { formatSpan, parseTime } from '../format.ts';
import { text } from '../text.ts';
import { useDashboard } from './context.ts';
import { SeverityMark } from './icons.tsx';
import { PageLink } from './page_link.tsx';

export function AlertStrip() {
  const dashboard = useDashboard();
  dashboard.drawn.value;
  const waiting = dashboard.alerts.list().filter((alert) => alert.open && !alert.acknowledged);
  const [worst] = waiting;
  if (!worst) return <p class="strip muted" data-testid="alert-strip">{text.alertsNoneWaiting}</p>;
  const { data } = worst;
  return (
    <section class={`strip strip-${data.severity}`} aria-label={text.alertStrip} data-testid="alert-strip">
      <SeverityMark severity={data.severity} />
      <PageLink page="alerts" values={{ alert: data.alertId }} class="cut">{data.message || data.ruleName}</PageLink>
      <span class="muted num">{text.since(formatSpan(dashboard.serverNow() - (parseTime(data.startedAt) ?? worst.changedMs)))}</span>
      {waiting.length > 1 && <PageLink page="alerts" values={{ state: 'open' }}>{text.alertsWaiting(waiting.length - 1)}</PageLink>}
    </section>
  );
}
