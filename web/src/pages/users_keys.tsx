// users_keys.tsx: the API keys of the account: made, replaced, revoked; the text of a new one is shown once.

import { useSignal } from '@preact/signals';
import type { Api } from '../api.ts';
import { formatDayClock, formatSpan, parseTime } from '../format.ts';
import { namesOf } from '../store/names.ts';
import { wrongsOf, type Wrongs } from '../store/wrong_fields.ts';
import { text } from '../text.ts';
import { AskFirst } from '../view/ask_first.tsx';
import { useDashboard } from '../view/context.ts';
import { LiveShape } from '../view/icons.tsx';
import { ReadingNote, useReading } from '../view/reading.tsx';
import { Field } from './console_parts.tsx';
import { createKey, Secret, type Key, type NewKey } from './key_parts.tsx';
import { Rights } from './users_rights.tsx';
import { reachOf, words } from './users_text.ts';

const kEveryMs = 30_000;
const kDayMs = 86_400_000;
const kRoles = ['ingest', 'publish', 'viewer', 'operator', 'admin'];
const kFields = ['name', 'roles', 'sites', 'devices', 'expiresAt'];

type State = keyof typeof words.states;
interface Shown {
  made: NewKey;
  said: string;
}
type Change = { what: 'revoke' | 'replace'; key: Key };

function stateOf(key: Key, nowMs: number): State {
  if (key.revoked) return 'revoked';
  const ends = parseTime(key.expiresAt);
  return ends !== undefined && ends <= nowMs ? 'ended' : 'active';
}

// "12 min ago", with the moment itself to be pointed at.
function When({ at, now, never }: { at: string | null; now: number; never: string }) {
  const ms = parseTime(at);
  if (ms === undefined) return <>{never}</>;
  return <time dateTime={at!} title={formatDayClock(ms)}>{ms > now ? words.inSpan(formatSpan(ms - now)) : words.ago(formatSpan(now - ms))}</time>;
}

function Row({ of, now, onChange }: { of: Key; now: number; onChange: (change: Change) => void }) {
  const state = stateOf(of, now);
  return (
    <li class={`key state-${state}`} data-testid="key" data-name={of.name} data-state={state}>
      <div class="key-name"><strong>{of.name}</strong><span class="muted num">{of.id}</span></div>
      <div class="key-state"><span class="mark"><LiveShape state={state === 'active' ? 'connected' : 'closed'} />{words.states[state]}</span></div>
      <div class="key-rights">{of.roles.join(', ')}<span class="muted">{reachOf(of)}</span></div>
      <dl class="key-times">
        <div><dt>{words.lastUsed}</dt><dd class="num"><When at={of.lastUsedAt} now={now} never={words.never} /></dd></div>
        <div><dt>{words.ends}</dt><dd class="num"><When at={of.expiresAt} now={now} never={words.neverEnds} /></dd></div>
        <div><dt>{words.made}</dt><dd class="num"><When at={of.createdAt} now={now} never="" /> <span class="muted">{words.by(of.createdBy ?? words.commandLine)}</span></dd></div>
      </dl>
      {state === 'active' && (
        <div class="key-actions">
          <button type="button" aria-label={words.replaceOf(of.name)} data-testid="key-replace" onClick={() => onChange({ what: 'replace', key: of })}>{words.replace}</button>
          <button type="button" aria-label={words.revokeOf(of.name)} data-testid="key-revoke" onClick={() => onChange({ what: 'revoke', key: of })}>{words.revoke}</button>
        </div>
      )}
    </li>
  );
}

function NewKeyForm({ api, now, onMade, onCancel }: { api: Api; now: number; onMade: (made: NewKey) => void; onCancel: () => void }) {
  const name = useSignal('');
  const roles = useSignal<string[]>(['ingest']);
  const sites = useSignal('');
  const devices = useSignal('');
  const days = useSignal('');
  const wrongs = useSignal<Wrongs>({});
  const busy = useSignal(false);
  const create = async () => {
    busy.value = true;
    const [siteNames, deviceNames] = [namesOf(sites.value), namesOf(devices.value)];
    try {
      onMade(await createKey(api, {
        name: name.value.trim(), roles: roles.value,
        ...(siteNames.length > 0 ? { sites: siteNames } : {}), ...(deviceNames.length > 0 ? { devices: deviceNames } : {}),
        ...(days.value ? { expiresAt: new Date(now + Number(days.value) * kDayMs).toISOString() } : {}),
      }));
    } catch (error) {
      wrongs.value = wrongsOf(error, kFields, words.unreachable);
    }
    busy.value = false;
  };
  const said = wrongs.value;
  return (
    <form class="key-form" data-testid="key-form" onSubmit={(event) => { event.preventDefault(); void create(); }}>
      <div class="form">
        <Field label={words.name} hint={words.keyNameHint} error={said.name}>
          {(described) => <input {...described} autoFocus data-testid="key-name" autoComplete="off" value={name.value} onInput={(event) => { name.value = event.currentTarget.value; }} />}
        </Field>
        <Field label={words.sites} hint={words.listHint} error={said.sites}>
          {(described) => <input {...described} data-testid="key-sites" autoComplete="off" spellcheck={false} value={sites.value} onInput={(event) => { sites.value = event.currentTarget.value; }} />}
        </Field>
        <Field label={words.devices} hint={words.listHint} error={said.devices}>
          {(described) => <input {...described} autoComplete="off" spellcheck={false} value={devices.value} onInput={(event) => { devices.value = event.currentTarget.value; }} />}
        </Field>
        <Field label={words.expires} error={said.expiresAt}>
          {(described) => (
            <select {...described} value={days.value} onChange={(event) => { days.value = event.currentTarget.value; }}>
              {Object.entries(words.lives).map(([value, each]) => <option key={value} value={value}>{each}</option>)}
            </select>
          )}
        </Field>
      </div>
      <Rights all={kRoles} chosen={roles} error={said.roles} />
      {said[''] && <p class="refused" role="alert">{said['']}</p>}
      <div class="form-actions flat">
        <button type="submit" class="primary" disabled={busy.value} data-testid="key-create">{words.create}</button>
        <button type="button" onClick={onCancel}>{text.cancel}</button>
      </div>
    </form>
  );
}

function AskChange({ api, change, now, onDone, onNo }: { api: Api; change: Change; now: number; onDone: (shown?: Shown) => void; onNo: () => void }) {
  const busy = useSignal(false);
  const wrong = useSignal('');
  const overlap = useSignal('24h');
  const { key } = change;
  const revoke = change.what === 'revoke';
  const act = async () => {
    busy.value = true;
    try {
      if (revoke) {
        await api.change('DELETE', `/api/keys/${encodeURIComponent(key.id)}`);
        onDone();
      } else {
        const made = await api.change<NewKey>('POST', `/api/keys/${encodeURIComponent(key.id)}/rotate`, { overlap: overlap.value });
        const until = overlap.value === '0s' ? words.oldEnded : words.oldGoesOn(words.overlaps[overlap.value]!);
        onDone({ made, said: words.replaced(made.name, until) });
      }
    } catch (error) {
      wrong.value = Object.values(wrongsOf(error, [], words.unreachable)).join(' ');
      busy.value = false;
    }
  };
  const used = parseTime(key.lastUsedAt);
  return (
    <AskFirst
      title={revoke ? words.askRevoke(key.name) : words.askReplace(key.name)} action={revoke ? words.revokeNow : words.replaceNow}
      busy={busy.value} error={wrong.value} onYes={() => void act()} onNo={onNo}
    >
      <p>{revoke ? words.revokeWhat : words.replaceWhat}</p>
      <p class="muted">{used === undefined ? words.usedNever : words.usedLast(words.ago(formatSpan(now - used)))}</p>
      {!revoke && (
        <Field label={words.overlap}>
          {(described) => (
            <select {...described} data-testid="key-overlap" value={overlap.value} onChange={(event) => { overlap.value = event.currentTarget.value; }}>
              {Object.entries(words.overlaps).map(([value, each]) => <option key={value} value={value}>{each}</option>)}
            </select>
          )}
        </Field>
      )}
    </AskFirst>
  );
}

export function Keys() {
  const dashboard = useDashboard();
  const { api } = dashboard;
  const reading = useReading(() => api.get<{ keys: Key[] }>('/api/keys'), [dashboard], kEveryMs);
  const making = useSignal(false);
  const shown = useSignal<Shown | undefined>(undefined);
  const change = useSignal<Change | undefined>(undefined);
  const now = dashboard.serverNow();
  const keys = [...(reading.answer.value?.keys ?? [])].reverse();
  const live = keys.filter((key) => stateOf(key, now) === 'active');
  const over = keys.filter((key) => stateOf(key, now) !== 'active');
  const rows = (list: Key[]) => (
    <ul class="keys">{list.map((key) => <Row key={key.id} of={key} now={now} onChange={(asked) => { change.value = asked; }} />)}</ul>
  );
  const done = (next?: Shown) => {
    if (next) shown.value = next;
    making.value = false;
    change.value = undefined;
    void reading.refresh();
  };
  return (
    <section class="card" aria-labelledby="keys-title" data-testid="keys">
      <div class="card-head">
        <h2 id="keys-title">{words.keys}</h2>
        <span class="muted num">{live.length}</span>
        <span class="grow" />
        {!making.value && <button type="button" data-testid="key-new" onClick={() => { making.value = true; shown.value = undefined; }}>{words.newKey}</button>}
      </div>
      {making.value && (
        <NewKeyForm api={api} now={now} onMade={(made) => done({ made, said: words.created(made.name) })} onCancel={() => { making.value = false; }} />
      )}
      {shown.value && (
        <div class="card-body">
          <Secret made={shown.value.made} said={shown.value.said} />
          <div><button type="button" data-testid="secret-done" onClick={() => { shown.value = undefined; }}>{words.done}</button></div>
        </div>
      )}
      <ReadingNote reading={reading} />
      {reading.answer.value && live.length === 0 && <p class="note">{words.none}</p>}
      {live.length > 0 && rows(live)}
      {over.length > 0 && <details class="keys-over" data-testid="keys-over"><summary>{words.ended(over.length)}</summary>{rows(over)}</details>}
      {change.value && (
        <AskChange key={change.value.key.id} api={api} change={change.value} now={now} onDone={done} onNo={() => { change.value = undefined; }} />
      )}
    </section>
  );
}
