import { useSignal } from '@preact/signals';
import { text } from '../text.ts';
import { useDashboard } from './context.ts';

export function SignIn() {
  const dashboard = useDashboard();
  const token = useSignal('');
  const submit = (event: Event) => {
    event.preventDefault();
    const given = token.value.trim();
    if (given !== '') dashboard.signIn(given);
  };
  return (
    <section class="card sign-in" aria-labelledby="sign-in-title" data-testid="sign-in">
      <h2 id="sign-in-title">{text.signInTitle}</h2>
      <p>{text.signInBody}</p>
      <form onSubmit={submit}>
        <label for="token">{text.signInField}</label>
        <input
          id="token" type="password" autocomplete="off" spellcheck={false} required value={token}
          onInput={(event) => { token.value = event.currentTarget.value; }}
        />
        <button type="submit" class="primary">{text.signInButton}</button>
      </form>
      {dashboard.credential.value === 'refused' && <p role="alert" class="refused">{text.signInRefused}</p>}
    </section>
  );
}
