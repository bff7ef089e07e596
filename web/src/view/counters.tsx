import type { ComponentChildren } from 'preact';
import { formatNumber } from '../format.ts';
import { text } from '../text.ts';
import { useDashboard } from './context.ts';
import { PresenceMark, SeverityMark } from './icons.tsx';

function Counter({ name, count, testid }: { name: ComponentChildren; count: number; testid: string }) {
  return (
    <div class={count === 0 ? 'counter zero' : 'counter'}>
      <dt>{name}</dt>
      <dd class="num" data-testid={`count-${testid}`}>{formatNumber(count)}</dd>
    </div>
  );
}

export function Counters() {
  const dashboard = useDashboard();
  dashboard.drawn.value;
  const presence = dashboard.devices.counts();
  const alerts = dashboard.alerts.openCount();
  const perSecond = dashboard.eventsPerSecond();
  return (
    <section class="counters" aria-label={text.counters}>
      <dl>
        <Counter name={text.devices} count={dashboard.devices.size} testid="devices" />
        <Counter name={<PresenceMark status="online" />} count={presence.online} testid="online" />
        <Counter name={<PresenceMark status="stale" />} count={presence.stale} testid="stale" />
        <Counter name={<PresenceMark status="offline" />} count={presence.offline} testid="offline" />
        <Counter name={<SeverityMark severity="critical" />} count={alerts.critical} testid="critical" />
        <Counter name={<SeverityMark severity="warning" />} count={alerts.warning} testid="warning" />
        <Counter name={text.eventsPerSecond} count={perSecond < 10 ? perSecond : Math.round(perSecond)} testid="rate" />
      </dl>
    </section>
  );
}
