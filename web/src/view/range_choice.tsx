import { kRanges, type Range } from '../store/chart_source.ts';
import { text } from '../text.ts';
import { useDashboard } from './context.ts';

export function RangeChoice({ choose }: { choose: (range: Range) => void }) {
  const { place } = useDashboard();
  return (
    <div class="segments" role="group" aria-label={text.range}>
      {(Object.keys(kRanges) as Range[]).map((range) => (
        <button
          type="button" key={range} data-testid={`range-${range}`} aria-pressed={place.range.value === range}
          onClick={() => choose(range)}
        >{text.ranges[range]}</button>
      ))}
    </div>
  );
}
