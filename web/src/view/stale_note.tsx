import { formatClock } from '../format.ts';
import { text } from '../text.ts';
import { useDashboard } from './context.ts';

// "as of 12:03:07", while what is shown is not live.
export function StaleNote() {
  const dashboard = useDashboard();
  dashboard.drawn.value;
  const asOf = dashboard.asOfMs();
  return asOf === undefined ? null : <span class="stale-note num" data-testid="as-of">{text.asOf(formatClock(asOf))}</span>;
}
