// users_people.tsx: who may sign in: added, given another password, disabled and enabled again.

import { useSignal } from '@preact/signals';
import type { Api } from '../api.ts';
import { formatDayClock, parseTime } from '../format.ts';
import { namesOf } from '../store/names.ts';
import { wrongsOf, type Wrongs } from '../store/wrong_fields.ts';
import { text } from '../text.ts';
import { AskFirst } from '../view/ask_first.tsx';
import { useDashboard } from '../view/context.ts';
import { LiveShape } from '../view/icons.tsx';
import { ReadingNote, useReading } from '../view/reading.tsx';
import { Field, type Described } from './console_parts.tsx';
import { Rights } from './users_rights.tsx';
import { reachOf, words } from './users_text.ts';

const kEveryMs = 30_000;
const kRoles = ['viewer', 'operator', 'admin', 'ingest', 'publish'];
const kFields = ['name', 'password', 'roles', 'sites', 'devices'];

interface User {
  name: string;
  roles: string[];
  sites: string[] | null;
  devices: string[] | null;
  createdAt: string;
  disabled: boolean;
}
type Change = { what: 'password' | 'disable' | 'enable'; user: User };

const addressOf = (user: User) => `/api/users/${encodeURIComponent(user.name)}`;

function Row({ of, oneself, onChange }: { of: User; oneself: boolean; onChange: (change: Change) => void }) {
  const state = of.disabled ? 'disabled' : 'active';
  const change = (what: Change['what']) => () => onChange({ what, user: of });
  return (
    <li class={`key state-${state}`} data-testid="user" data-name={of.name} data-state={state}>
      <div class="key-name"><strong>{of.name}</strong>{oneself && <span class="muted">{words.you}</span>}</div>
      <div class="key-state"><span class="mark"><LiveShape state={of.disabled ? 'closed' : 'connected'} />{words.userStates[state]}</span></div>
      <div class="key-rights">{of.roles.join(', ')}<span class="muted">{reachOf(of)}</span></div>
      <dl class="key-times">
        <div><dt>{words.added}</dt><dd class="num"><time dateTime={of.createdAt}>{formatDayClock(parseTime(of.createdAt) ?? 0)}</time></dd></div>
      </dl>
      <div class="key-actions">
        <button type="button" aria-label={words.passwordOf(of.name)} data-testid="user-password" onClick={change('password')}>{words.password}</button>
        {of.disabled
          ? <button type="button" aria-label={words.enableOf(of.name)} data-testid="user-enable" onClick={change('enable')}>{words.enable}</button>
          : !oneself && <button type="button" aria-label={words.disableOf(of.name)} data-testid="user-disable" onClick={change('disable')}>{words.disable}</button>}
      </div>
    </li>
  );
}

// Twice, because nobody sees what is typed.
function useNewPassword() {
  const first = useSignal('');
  const second = useSignal('');
  const tried = useSignal(false);
  const differ = tried.value && first.value !== second.value;
  const box = (described: Described, of: typeof first, testId: string) => (
    <input {...described} type="password" autoComplete="new-password" data-testid={testId} value={of.value} onInput={(event) => { of.value = event.currentTarget.value; }} />
  );
  return {
    // Undefined where the two are not the same, which is then said.
    take: () => { tried.value = true; return first.value === second.value ? first.value : undefined; },
    fields: (error: string | undefined) => (
      <>
        <Field label={words.newPassword} hint={words.passwordHint} error={error}>{(described) => box(described, first, 'new-password')}</Field>
        <Field label={words.again} error={differ ? words.differ : undefined}>{(described) => box(described, second, 'again-password')}</Field>
      </>
    ),
  };
}

function NewUserForm({ api, onMade, onCancel }: { api: Api; onMade: () => void; onCancel: () => void }) {
  const name = useSignal('');
  const roles = useSignal<string[]>(['viewer']);
  const sites = useSignal('');
  const wrongs = useSignal<Wrongs>({});
  const busy = useSignal(false);
  const secret = useNewPassword();
  const create = async () => {
    const password = secret.take();
    if (password === undefined) return;
    busy.value = true;
    const siteNames = namesOf(sites.value);
    try {
      await api.change('POST', '/api/users', {
        name: name.value.trim(), password, roles: roles.value, ...(siteNames.length > 0 ? { sites: siteNames } : {}),
      });
      return onMade();
    } catch (error) {
      wrongs.value = wrongsOf(error, kFields, words.unreachable);
    }
    busy.value = false;
  };
  const said = wrongs.value;
  return (
    <form class="key-form" data-testid="user-form" onSubmit={(event) => { event.preventDefault(); void create(); }}>
      <div class="form">
        <Field label={words.user} hint={words.userHint} error={said.name}>
          {(described) => <input {...described} autoFocus data-testid="user-name" autoComplete="off" spellcheck={false} value={name.value} onInput={(event) => { name.value = event.currentTarget.value; }} />}
        </Field>
        {secret.fields(said.password)}
        <Field label={words.sites} hint={words.listHint} error={said.sites}>
          {(described) => <input {...described} data-testid="user-sites" autoComplete="off" spellcheck={false} value={sites.value} onInput={(event) => { sites.value = event.currentTarget.value; }} />}
        </Field>
      </div>
      <Rights all={kRoles} chosen={roles} error={said.roles} />
      {said[''] && <p class="refused" role="alert">{said['']}</p>}
      <div class="form-actions flat">
        <button type="submit" class="primary" disabled={busy.value} data-testid="user-create">{words.addUser}</button>
        <button type="button" onClick={onCancel}>{text.cancel}</button>
      </div>
    </form>
  );
}

function AskChange({ api, change: { what, user }, onDone, onNo }: { api: Api; change: Change; onDone: () => void; onNo: () => void }) {
  const busy = useSignal(false);
  const wrongs = useSignal<Wrongs>({});
  const secret = useNewPassword();
  const act = async () => {
    const password = what === 'password' ? secret.take() : '';
    if (password === undefined) return;
    busy.value = true;
    try {
      if (what === 'password') await api.change('PUT', `${addressOf(user)}/password`, { password });
      else await api.change('PUT', addressOf(user), { disabled: what === 'disable' });
      onDone();
    } catch (error) {
      wrongs.value = wrongsOf(error, ['password'], words.unreachable);
      busy.value = false;
    }
  };
  const said = wrongs.value;
  return (
    <AskFirst title={words.userAsks[what](user.name)} action={words.userDoes[what]} busy={busy.value} error={said['']} onYes={() => void act()} onNo={onNo}>
      <p>{words.userWhat[what]}</p>
      {what === 'password' && secret.fields(said.password)}
    </AskFirst>
  );
}

export function Users() {
  const dashboard = useDashboard();
  const { api, session } = dashboard;
  const reading = useReading(() => api.get<{ users: User[] }>('/api/users'), [dashboard], kEveryMs);
  const making = useSignal(false);
  const change = useSignal<Change | undefined>(undefined);
  const users = reading.answer.value?.users;
  const done = () => {
    making.value = false;
    change.value = undefined;
    void reading.refresh();
  };
  return (
    <section class="card" aria-labelledby="people-title" data-testid="users">
      <div class="card-head">
        <h2 id="people-title">{words.users}</h2>
        <span class="muted num">{users?.length}</span>
        <span class="grow" />
        {!making.value && <button type="button" data-testid="user-new" onClick={() => { making.value = true; }}>{words.newUser}</button>}
      </div>
      {making.value && <NewUserForm api={api} onMade={done} onCancel={() => { making.value = false; }} />}
      <ReadingNote reading={reading} />
      {users?.length === 0 && <p class="note">{words.noUsers}</p>}
      {users && users.length > 0 && (
        <ul class="keys">
          {users.map((user) => (
            <Row key={user.name} of={user} oneself={session.who.value?.subject === `user:${user.name}`} onChange={(asked) => { change.value = asked; }} />
          ))}
        </ul>
      )}
      {change.value && (
        <AskChange key={change.value.user.name} api={api} change={change.value} onDone={done} onNo={() => { change.value = undefined; }} />
      )}
    </section>
  );
}
