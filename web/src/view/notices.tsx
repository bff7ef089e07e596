// notices.tsx: what there is to say about the session and the server, under the header.

import { formatClockShort } from '../format.ts';
import { text } from '../text.ts';
import { useDashboard } from './context.ts';

export function Notices() {
  const { session, storage } = useDashboard();
  const endsAt = session.endsAtMs.value;
  return (
    <>
      <div role="alert">
        {storage.value !== 'ok' && (
          <p class="notice refused" data-testid="storage">
            {storage.value === 'full' ? text.storageFull : text.storageFails}
          </p>
        )}
        {session.signOutFailed.value && (
          <p class="notice refused" data-testid="sign-out-failed">
            {text.signOutFailed}
            <button type="button" onClick={() => { session.signOutFailed.value = false; }}>{text.toastDismiss}</button>
          </p>
        )}
      </div>
      <div role="status">
        {endsAt !== undefined && !session.renewing.value && (
          <p class="notice" data-testid="session-ends">
            {text.sessionEnds(formatClockShort(endsAt))}
            <button type="button" onClick={() => { session.renewing.value = true; }}>{text.signInAgain}</button>
          </p>
        )}
      </div>
    </>
  );
}
