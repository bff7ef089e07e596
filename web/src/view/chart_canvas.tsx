// chart_canvas.tsx: the canvas of a chart: made anew for another theme, drawn again at every drawing of the page while it is
// in view.

import { useSignalEffect } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { themeShown } from '../theme.ts';
import { useDashboard } from './context.ts';
import type { Plot } from './plot.ts';

interface Props {
  field: string;
  points: number;
  label: string;
  make: (box: HTMLElement) => Plot;
  draw: (plot: Plot) => void;
}

export function ChartCanvas({ field, points, label, make, draw }: Props) {
  const dashboard = useDashboard();
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<{ plot: Plot; theme: string } | undefined>(undefined);
  const how = useRef({ make, draw });
  how.current = { make, draw };
  useSignalEffect(() => {
    dashboard.drawn.value;
    const theme = themeShown.value;
    if (!box.current || document.hidden) return;
    if (plot.current?.theme !== theme) {
      plot.current?.plot.destroy();
      plot.current = { plot: how.current.make(box.current), theme };
    }
    if (plot.current.plot.inView) how.current.draw(plot.current.plot);
  });
  const release = useRef((element: HTMLDivElement | null) => {
    box.current = element;
    if (element) return;
    plot.current?.plot.destroy();
    plot.current = undefined;
  });
  return (
    <div
      class="canvas" ref={release.current} role="img" data-testid="chart" data-field={field} data-points={points} aria-label={label}
    />
  );
}
