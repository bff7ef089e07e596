// users_people.tsx: what to run on the server to add a user, or to change one.

import { useSignal } from '@preact/signals';
import { isName, isUserName, kUserActions, namesOf, userLine, type UserAction } from '../store/user_command.ts';
import { Command } from '../view/command.tsx';
import { useDashboard } from '../view/context.ts';
import { Choices, Field, Tick } from './console_parts.tsx';
import { words } from './users_text.ts';

const kRoles = ['viewer', 'operator', 'admin', 'ingest', 'publish'];

export function Users() {
  const { session } = useDashboard();
  const action = useSignal<UserAction>('add');
  const user = useSignal('anna');
  const roles = useSignal<string[]>(['viewer']);
  const sites = useSignal('');
  const names = namesOf(sites.value);
  const badUser = isUserName(user.value) ? undefined : words.badUser;
  const badSites = names.every(isName) ? undefined : words.badNames;
  const add = action.value === 'add';
  const named = action.value !== 'list';
  const wrong = (named && badUser !== undefined) || (add && badSites !== undefined);
  const tick = (role: string, on: boolean) => { roles.value = kRoles.filter((each) => (each === role ? on : roles.value.includes(each))); };
  return (
    <section class="card" aria-labelledby="people-title" data-testid="users">
      <div class="card-head"><h2 id="people-title">{words.users}</h2></div>
      <div class="card-body">
        <p class="muted prose">{words.usersHow}</p>
        <div class="form">
          <Field label={words.action}>
            {(described) => (
              <select {...described} data-testid="user-action" value={action.value} onChange={(event) => { action.value = event.currentTarget.value as UserAction; }}>
                {kUserActions.map((each) => <option key={each} value={each}>{words.actions[each]}</option>)}
              </select>
            )}
          </Field>
          {named && (
            <Field label={words.user} hint={words.userHint} error={badUser}>
              {(described) => (
                <input {...described} data-testid="user-name" autoComplete="off" spellcheck={false} value={user.value} onInput={(event) => { user.value = event.currentTarget.value.trim(); }} />
              )}
            </Field>
          )}
          {add && (
            <>
              <Choices label={words.roles} error={roles.value.length === 0 ? words.needRole : undefined}>
                {kRoles.map((role) => <Tick key={role} label={role} checked={roles.value.includes(role)} onChange={(on) => tick(role, on)} />)}
              </Choices>
              <Field label={words.sites} hint={words.listHint} error={badSites}>
                {(described) => <input {...described} autoComplete="off" spellcheck={false} value={sites.value} onInput={(event) => { sites.value = event.currentTarget.value; }} />}
              </Field>
            </>
          )}
        </div>
        {!wrong && (
          <>
            <Command
              testId="user-line"
              lines={userLine({ action: action.value, user: user.value, account: session.who.value?.account ?? '', roles: roles.value, sites: names })}
            />
            <p class="muted">{words.consequence[action.value]} {words.where}</p>
          </>
        )}
      </div>
    </section>
  );
}
