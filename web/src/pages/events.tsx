// events.tsx: the events console: a stream of one's own, with everything it brings, as it is written on the wire.

import { useComputed, useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import type { Dashboard } from '../dashboard.ts';
import { EventConsole, type Ask, type Begin } from '../store/event_console.ts';
import { streamLine } from '../stream_line.ts';
import { Command } from '../view/command.tsx';
import { useDashboard } from '../view/context.ts';
import { Choices, Field, Tick } from './console_parts.tsx';
import { FrameList } from './events_frames.tsx';
import { Publish } from './events_publish.tsx';
import { words } from './events_text.ts';
import './events.css';

const kTypes = ['telemetry', 'alert', 'device_status', 'system'];
const kSuggestionsMax = 50;

const split = (list: string) => list.split(',').map((each) => each.trim()).filter(Boolean);

// What may be written after the last comma, of the account, the sites and the devices that are known.
function suggestions(dashboard: Dashboard, typed: string): string[] {
  const before = typed.slice(0, typed.lastIndexOf(',') + 1);
  const last = typed.slice(before.length).trim().toLowerCase();
  const account = `account:${dashboard.session.who.value?.account ?? '*'}`;
  const topics = new Set([account]);
  for (const { siteId } of dashboard.devices.byTopic.values()) topics.add(`${account}/site:${siteId}`);
  for (const topic of dashboard.devices.byTopic.keys()) topics.add(topic);
  const found: string[] = [];
  for (const topic of topics) {
    if (found.length === kSuggestionsMax) break;
    if (topic.toLowerCase().includes(last)) found.push(before + topic);
  }
  return found;
}

function toLine(baseUrl: string, secured: boolean, ask: Ask): string {
  const query = {
    topics: split(ask.topics).join(',') || undefined, types: split(ask.types).join(',') || undefined,
    snapshot: ask.begin === 'snapshot' ? 'latest' : undefined, since: (ask.begin === 'since' && ask.from) || undefined,
  };
  return streamLine(baseUrl, secured, query, ask.begin === 'id' ? ask.from : undefined);
}

function Types({ list, error, onChange }: { list: string; error: string | undefined; onChange: (list: string) => void }) {
  const chosen = split(list);
  const all = [...kTypes, ...chosen.filter((type) => !kTypes.includes(type))];
  const tick = (type: string, on: boolean) => onChange(all.filter((each) => (each === type ? on : chosen.includes(each))).join(','));
  return (
    <Choices label={words.types} error={error} class="events-types">
      {all.map((type) => <Tick key={type} label={words.typeNames[type] ?? type} checked={chosen.includes(type)} onChange={(on) => tick(type, on)} />)}
    </Choices>
  );
}

export default function EventsPage() {
  const dashboard = useDashboard();
  const { place, session } = dashboard;
  const events = useMemo(
    () => new EventConsole(dashboard.api, (status) => session.refused(status), { unreachable: words.unreachable, notAnId: words.notAnId }),
    [dashboard],
  );
  const ask = useSignal<Ask>({ topics: place.get('topics') ?? '', types: place.get('types') ?? '', begin: 'now', from: '' });
  const running = useSignal<Ask | undefined>(undefined);
  const set = (change: Partial<Ask>) => { ask.value = { ...ask.value, ...change }; };
  const offered = useComputed(() => suggestions(dashboard, ask.value.topics));

  const start = () => {
    const { topics, types, begin, from } = ask.value;
    if ((begin === 'id' || begin === 'since') && from.trim() === '') {
      events.wrongs.value = { [begin === 'id' ? 'lastEventId' : 'since']: words.fromNeeded };
      return;
    }
    place.set({ topics: topics.trim() || undefined, types: types || undefined });
    running.value = ask.value;
    events.start({ ...ask.value, from: from.trim() });
  };
  const signedIn = session.state.value === 'in';
  useEffect(() => {
    if (signedIn) start();
    return () => { events.stop(); events.clear(); };
  }, [events, signedIn, session.who.value?.subject]);

  const { begin } = ask.value;
  const wrongs = events.wrongs.value;
  const on = events.status.value.state !== 'closed';
  const changed = on && running.value !== ask.value;
  return (
    <>
      <section class="card" aria-labelledby="events-title">
        <div class="card-head"><h2 id="events-title">{words.title}</h2></div>
        <form class="card-body" data-testid="events-form" onSubmit={(event) => { event.preventDefault(); start(); }}>
          <div class="form">
            <Field label={words.topics} hint={words.topicsHint} error={wrongs.topics} class="events-topics">
              {(described) => (
                <>
                  <input
                    {...described} class="code" list="events-topics" data-testid="events-topics" autoComplete="off" spellcheck={false}
                    placeholder={words.topicsExample(session.who.value?.account ?? '…')} value={ask.value.topics}
                    onInput={(event) => set({ topics: event.currentTarget.value })}
                  />
                  <datalist id="events-topics">{offered.value.map((topic) => <option key={topic} value={topic} />)}</datalist>
                </>
              )}
            </Field>
            <Types list={ask.value.types} error={wrongs.types} onChange={(types) => set({ types })} />
            <Field label={words.begin}>
              {(described) => (
                <select {...described} data-testid="events-begin" value={begin} onChange={(event) => set({ begin: event.currentTarget.value as Begin, from: '' })}>
                  {Object.entries(words.begins).map(([value, name]) => <option key={value} value={value}>{name}</option>)}
                </select>
              )}
            </Field>
            {(begin === 'id' || begin === 'since') && (
              <Field label={words.from[begin]} error={wrongs.lastEventId ?? wrongs.since} class="events-from">
                {(described) => (
                  <input
                    {...described} class="code" data-testid="events-from" autoComplete="off" placeholder={words.fromExample[begin]}
                    value={ask.value.from} onInput={(event) => set({ from: event.currentTarget.value })}
                  />
                )}
              </Field>
            )}
            <div class="form-actions">
              {(!on || changed) && <button type="submit" class="primary" data-testid="events-start">{on ? words.anew : words.start}</button>}
              {on && <button type="button" data-testid="events-stop" onClick={() => events.stop()}>{words.stop}</button>}
            </div>
          </div>
          {wrongs[''] && <p class="refused" role="alert" data-testid="events-refused">{words.refused} {wrongs['']}</p>}
          <details>
            <summary>{words.asCurl}</summary>
            <Command lines={toLine(dashboard.api.baseUrl, session.secured, ask.value)} testId="events-curl" />
          </details>
        </form>
      </section>
      <FrameList events={events} />
      <Publish />
    </>
  );
}
