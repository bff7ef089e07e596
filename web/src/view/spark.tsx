// spark.tsx: the last few numbers as a line the size of a word. Drawn again only when there is something new to draw.

import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Recent } from '../store/recent.ts';
import { themeShown } from '../theme.ts';

const kWidth = 72;
const kHeight = 20;
const kMargin = 2;
const kFewest = 10;  // fewer do not fill the width

// `added`: of `recent`, so that a new number is a new drawing.
export function Spark({ recent, added }: { recent: Recent | undefined; added: number | undefined }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const drawn = useRef<unknown[]>([]);
  const theme = themeShown.value;
  useLayoutEffect(() => {
    const now = [recent, added, theme];
    if (!canvas.current || now.every((part, i) => part === drawn.current[i])) return;
    drawn.current = now;
    drawLine(canvas.current, recent);
  });
  return <canvas class="spark" ref={canvas} width={kWidth * 2} height={kHeight * 2} aria-hidden="true" />;
}

function drawLine(canvas: HTMLCanvasElement, recent: Recent | undefined): void {
  const pen = canvas.getContext('2d')!;
  pen.setTransform(2, 0, 0, 2, 0, 0);
  pen.clearRect(0, 0, kWidth, kHeight);
  if (!recent) return;
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < recent.size; ++i) {
    low = Math.min(low, recent.at(i));
    high = Math.max(high, recent.at(i));
  }
  const y = (value: number) =>
    high === low ? kHeight / 2 : kHeight - kMargin - ((value - low) / (high - low)) * (kHeight - 2 * kMargin);
  const step = (kWidth - 2 * kMargin) / (Math.max(kFewest, recent.size) - 1);
  const x = (index: number) => kWidth - kMargin - (recent.size - 1 - index) * step;
  pen.strokeStyle = pen.fillStyle = getComputedStyle(canvas).color;
  pen.lineWidth = 1.25;
  pen.beginPath();
  for (let i = 0; i < recent.size; ++i) pen.lineTo(x(i), y(recent.at(i)));
  pen.stroke();
  pen.beginPath();
  pen.arc(x(recent.size - 1), y(recent.at(recent.size - 1)), 1.75, 0, 7);
  pen.fill();
}
