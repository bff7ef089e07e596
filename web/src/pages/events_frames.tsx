// events_frames.tsx: the newest frames of a stream, newest first. Only the rows in view are in the page; one at a time is
// laid open.

import { useComputed, useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { formatClock } from '../format.ts';
import type { EventConsole } from '../store/event_console.ts';
import { gistOf, kFramesMax, matches, pretty, raw, shortTopic, wordsOf, type Frame } from '../store/frames.ts';
import { text } from '../text.ts';
import { CopyButton } from '../view/command.tsx';
import { LiveShape } from '../view/icons.tsx';
import { words } from './events_text.ts';

const kRowPx = 32;     // as in the style sheet
const kOpenPx = 264;
const kSpareRows = 6;

function OpenFrame({ frame }: { frame: Frame }) {
  const block = useRef<HTMLPreElement | null>(null);
  return (
    <div class="frame-open" id={`frame-${frame.n}`}>
      <pre tabIndex={0} ref={block} data-testid="frame-raw">{pretty(frame)}</pre>
      <CopyButton lines={raw(frame)} of={() => block.current} label={words.copyRaw} />
    </div>
  );
}

function Row({ frame, open, onToggle }: { frame: Frame; open: boolean; onToggle: () => void }) {
  const gist = gistOf(frame);
  return (
    <li class={`frame type-${frame.event}`} data-testid="frame" data-event={frame.event} data-id={frame.id}>
      <button
        type="button" class="plain frame-row" aria-expanded={open} aria-controls={open ? `frame-${frame.n}` : undefined} onClick={onToggle}
      >
        <span class="frame-mark" aria-hidden="true">{open ? '▾' : '▸'}</span>
        <span class="frame-time num">{formatClock(frame.atMs)}</span>
        <span class="frame-type">{frame.event}</span>
        <span class="frame-topic cut" title={gist.topic || undefined}>{gist.topic === '' ? words.ofStream : shortTopic(gist.topic)}</span>
        <span class="frame-words cut">{gist.words}</span>
        <span class="frame-id num cut">{frame.id}</span>
      </button>
      {open && <OpenFrame frame={frame} />}
    </li>
  );
}

function State({ events }: { events: EventConsole }) {
  events.drawn.value;
  const status = events.status.value;
  const state = status.state;
  return (
    <span class={`live live-${state}`}>
      <span role="status" data-testid="events-state">
        <LiveShape state={state} />{words.states[state]}{events.log.paused && state !== 'closed' ? ` · ${words.pausedState}` : ''}
      </span>
      {status.state === 'reconnecting' && status.retryAt !== null && (
        <button type="button" onClick={() => events.retryNow()}>{text.retryNow}</button>
      )}
    </span>
  );
}

function Counts({ events }: { events: EventConsole }) {
  events.drawn.value;
  const { log } = events;
  const gone = log.received - log.list.length - log.held - log.dropped;
  return (
    <p class="frames-counts" data-testid="events-counts">
      {words.received(String(log.received))}{gone > 0 && log.list.length >= kFramesMax && `; ${words.aged(String(gone))}`}
      {log.paused ? <strong> {words.held(log.held, log.dropped)}</strong> : log.dropped > 0 && ` ${words.lastDropped(log.dropped)}`}
    </p>
  );
}

export function FrameList({ events }: { events: EventConsole }) {
  const filter = useSignal('');
  const open = useSignal<number | undefined>(undefined);
  const top = useSignal(0);
  const height = useSignal(480);
  const box = useRef<HTMLDivElement | null>(null);
  const frames = useComputed(() => {
    events.drawn.value;
    const asked = wordsOf(filter.value);
    return events.log.list.filter((frame) => matches(frame, asked)).reverse();
  }).value;
  const { paused } = events.log;
  const on = events.status.value.state !== 'closed';

  const openAt = open.value === undefined ? -1 : frames.findIndex(({ n }) => n === open.value);
  const yOf = (index: number) => index * kRowPx + (openAt >= 0 && index > openAt ? kOpenPx : 0);
  const total = yOf(frames.length);
  const measure = () => {
    if (!box.current) return;
    top.value = box.current.scrollTop;
    height.value = box.current.clientHeight;
  };
  // What is being read stays where it is, though newer ones come above it.
  const newest = useRef(0);
  useLayoutEffect(() => {
    const before = newest.current;
    newest.current = frames[0]?.n ?? 0;
    measure();
    if (!box.current || before === 0 || (box.current.scrollTop === 0 && openAt < 0)) return;
    const came = frames.findIndex(({ n }) => n <= before);
    if (came <= 0) return;
    box.current.scrollTop += came * kRowPx;
    measure();
  }, [frames]);

  const first = Math.max(0, Math.floor(Math.max(0, top.value - kOpenPx) / kRowPx) - kSpareRows);
  const last = Math.min(frames.length, Math.ceil((top.value + height.value) / kRowPx) + kSpareRows);
  const rows = frames.slice(first, last);
  const toggle = (n: number) => { open.value = open.value === n ? undefined : n; };
  return (
    <section class="card frames" aria-labelledby="frames-title">
      <div class="card-head">
        <h2 id="frames-title">{words.stream}</h2>
        <span class="muted num" data-testid="frames-shown">{words.shown(frames.length, events.log.list.length)}</span>
        <State events={events} />
        <span class="grow" />
        <input
          type="search" class="frames-filter" data-testid="events-filter" aria-label={words.filter} placeholder={words.filterHint}
          value={filter.value} onInput={(event) => { filter.value = event.currentTarget.value; }}
        />
        <button type="button" data-testid="events-pause" disabled={!on && !paused} onClick={() => (paused ? events.resume() : events.pause())}>
          {paused ? words.resume : words.pause}
        </button>
        <button type="button" data-testid="events-clear" onClick={() => events.clear()}>{words.clear}</button>
      </div>
      <Counts events={events} />
      <div class="frames-rows" tabIndex={0} role="group" aria-label={words.frames} ref={box} onScroll={measure}>
        {frames.length === 0
          ? <p class="note">{events.log.list.length > 0 ? words.noneMatch : on ? words.none.running : words.none.stopped}</p>
          : (
            <div class="frames-all" style={{ height: `${total}px` }}>
              <ul style={{ transform: `translateY(${yOf(first)}px)` }}>
                {rows.map((frame) => <Row key={frame.n} frame={frame} open={frame.n === open.value} onToggle={() => toggle(frame.n)} />)}
              </ul>
            </div>
          )}
      </div>
    </section>
  );
}
