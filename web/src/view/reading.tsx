// reading.tsx: an answer of the server in a view: loading, failed with "Try again", or there.

import { useEffect, useMemo } from 'preact/hooks';
import { Reading } from '../store/reading.ts';
import { text } from '../text.ts';
import { useDashboard } from './context.ts';

// Read when the view appears, when one of `of` changes, and every `everyMs`.
export function useReading<Answer>(read: () => Promise<Answer>, of: unknown[], everyMs?: number): Reading<Answer> {
  const { session } = useDashboard();
  const reading = useMemo(
    () => new Reading(read, (status) => session.refused(status), everyMs),
    [session.state.value === 'in', session.who.value?.subject, ...of],
  );
  useEffect(() => {
    void reading.refresh();
    return () => reading.stop();
  }, [reading]);
  return reading;
}

// What stands in the place of an answer, or over one that is old; nothing when all is well.
export function ReadingNote({ reading }: { reading: Reading<unknown> }) {
  const load = reading.load.value;
  if (load === 'loading' && reading.answer.value === undefined) return <p class="note">{text.loading}</p>;
  if (load !== 'failed') return null;
  return (
    <p class="note" role="alert" data-testid="reading-failed">
      {text.readingFailed} {reading.error.value} <button type="button" onClick={() => void reading.refresh()}>{text.retry}</button>
    </p>
  );
}
