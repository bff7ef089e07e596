// users.tsx: who and what may come in: API keys and users.

import { useDashboard } from '../view/context.ts';
import { Keys } from './users_keys.tsx';
import { Users } from './users_people.tsx';
import { words } from './users_text.ts';
import './users.css';

export default function UsersPage() {
  const { session } = useDashboard();
  const who = session.who.value;
  if (who && !who.roles.includes('admin')) {
    return (
      <section class="card" aria-labelledby="users-title">
        <div class="card-head"><h2 id="users-title">{words.title}</h2></div>
        <p class="note" data-testid="users-not">{words.onlyAdmins(who.roles.join(', ') || words.noRoles)}</p>
      </section>
    );
  }
  return <><Keys /><Users /></>;
}
