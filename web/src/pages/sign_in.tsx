// sign_in.tsx: signing in by password, or by a token: alone on the page, or above values that are no longer live.

import './sign_in.css';
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { formatSpan } from '../format.ts';
import type { Refusal } from '../session.ts';
import { text } from '../text.ts';
import { useDashboard } from '../view/context.ts';
import { Logo, SeverityShape } from '../view/icons.tsx';

// One attempt at a time, and why the last one came to nothing.
function useAttempt() {
  const dashboard = useDashboard();
  const busy = useSignal(false);
  const refusal = useSignal<Refusal | undefined>(undefined);
  dashboard.nowMs.value;  // the countdown goes by seconds
  const leftMs = refusal.value?.kind === 'wait' ? Math.max(0, refusal.value.untilMs - Date.now()) : 0;
  const attempt = async (send: () => Promise<Refusal | undefined>): Promise<Refusal | undefined> => {
    if (busy.value || leftMs > 0) return undefined;
    busy.value = true;
    refusal.value = undefined;
    refusal.value = await send();
    busy.value = false;
    return refusal.value;
  };
  return { busy: busy.value, refusal: refusal.value, leftMs, attempt };
}

// The region is always there, or screen readers would miss what comes into it. They hear of the pause once, not each second.
function RefusalNote({ refusal, leftMs, wrong }: { refusal: Refusal | undefined; leftMs: number; wrong: string }) {
  let words: ComponentChildren;
  if (refusal?.kind === 'wrong') words = wrong;
  else if (refusal?.kind === 'unreachable') words = text.unreachable;
  else if (refusal?.kind === 'failed') words = text.signInFailed(refusal.detail);
  else if (leftMs > 0) {
    words = <>{text.tooMany} <span class="num" aria-hidden="true">{text.tryAgainIn(formatSpan(Math.ceil(leftMs / 1000) * 1000))}</span></>;
  }
  return (
    <div role="alert" class="refusal">
      {words && <p class="refused" data-testid="refusal"><SeverityShape severity="critical" /><span>{words}</span></p>}
    </div>
  );
}

// Typing again replaces what was wrong.
function chooseAll(field: HTMLInputElement | null): void {
  field?.focus();
  field?.select();
}

function PasswordForm({ again }: { again: boolean }) {
  const { session } = useDashboard();
  const subject = (again && session.who.peek()?.subject) || '';
  const user = useSignal(subject.startsWith('user:') ? subject.slice(5) : '');
  const password = useSignal('');
  const shown = useSignal(false);
  const userField = useRef<HTMLInputElement>(null);
  const passwordField = useRef<HTMLInputElement>(null);
  const { busy, refusal, leftMs, attempt } = useAttempt();

  useEffect(() => {
    const { activeElement } = document;
    // Whoever is in the middle of something is not torn out of it.
    const idle = !activeElement || activeElement === document.body || activeElement.id === 'main';
    if (idle || session.renewing.peek()) (userField.current?.value ? passwordField : userField).current?.focus();
  }, []);

  const submit = async (event: Event) => {
    event.preventDefault();
    shown.value = false;  // browsers remember what stands in a plain field
    if (await attempt(() => session.signIn(user.value.trim(), password.value))) chooseAll(passwordField.current);
  };
  return (
    <form class="fields" aria-busy={busy} onSubmit={(event) => void submit(event)}>
      <div class="field">
        <label for="user">{text.user}</label>
        <input
          id="user" name="username" type="text" autocomplete="username" autocapitalize="none" autocorrect="off" spellcheck={false} required
          ref={userField} value={user} onInput={(event) => { user.value = event.currentTarget.value; }}
        />
      </div>
      <div class="field">
        <label for="password">{text.password}</label>
        <div class="with-toggle">
          <input
            id="password" name="password" type={(shown.value ? 'text' : 'password') as 'password'} autocomplete="current-password"
            autocapitalize="none" autocorrect="off" spellcheck={false} required
            ref={passwordField} value={password} onInput={(event) => { password.value = event.currentTarget.value; }}
          />
          <button
            type="button" aria-controls="password" aria-label={shown.value ? text.passwordHide : text.passwordShow}
            onClick={() => { shown.value = !shown.value; }}
          >
            {shown.value ? text.hide : text.show}
          </button>
        </div>
      </div>
      <RefusalNote refusal={refusal} leftMs={leftMs} wrong={text.wrongPassword} />
      <button type="submit" class="primary" disabled={busy || leftMs > 0}>{busy ? text.signingIn : text.signIn}</button>
    </form>
  );
}

function TokenForm() {
  const { session } = useDashboard();
  const token = useSignal('');
  const field = useRef<HTMLInputElement>(null);
  const { busy, refusal, leftMs, attempt } = useAttempt();
  const submit = async (event: Event) => {
    event.preventDefault();
    if (await attempt(() => session.useToken(token.value.trim()))) chooseAll(field.current);
  };
  return (
    <form class="fields" aria-busy={busy} onSubmit={(event) => void submit(event)}>
      <div class="field">
        <label for="token">{text.tokenField}</label>
        <input
          id="token" type="password" autocomplete="off" spellcheck={false} required aria-describedby="token-hint"
          ref={field} value={token} onInput={(event) => { token.value = event.currentTarget.value; }}
        />
      </div>
      <RefusalNote refusal={refusal} leftMs={leftMs} wrong={text.wrongToken} />
      <button type="submit" disabled={busy || leftMs > 0}>{text.connect}</button>
    </form>
  );
}

// `front`: alone on the page, as its heading.
export default function SignIn({ front }: { front: boolean }) {
  const { session } = useDashboard();
  const card = useRef<HTMLElement>(null);
  const renewing = session.renewing.value;
  const reason = renewing ? text.signInWhy.renew : text.signInWhy[session.why.value];
  const again = renewing || session.why.value === 'ended';
  const title = again ? text.signInAgain : text.signIn;
  // What had the focus goes away: the next Tab should not begin at the top of the page.
  useEffect(() => () => {
    const { activeElement, body } = document;
    if (activeElement === body || card.current?.contains(activeElement)) document.getElementById('main')?.focus();
  }, []);
  return (
    <section class={`card sign-in ${front ? '' : 'panel'}`} aria-labelledby="sign-in-title" data-testid="sign-in" ref={card}>
      {front && <h1><Logo />{text.name}</h1>}
      <div class="sign-in-head">
        <h2 id="sign-in-title">{title}</h2>
        {renewing && <button type="button" onClick={() => { session.renewing.value = false; }}>{text.notNow}</button>}
      </div>
      {reason && <p class="muted">{reason}</p>}
      <PasswordForm again={again} />
      <details>
        <summary>{text.useToken}</summary>
        <p id="token-hint" class="hint">{text.tokenHint}</p>
        <TokenForm />
      </details>
    </section>
  );
}
