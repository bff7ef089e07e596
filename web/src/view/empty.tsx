import { useSignal } from '@preact/signals';
import { text } from '../text.ts';
import { useDashboard } from './context.ts';

// Runs as it stands in any POSIX shell.
export function publishCommand(baseUrl: string, withToken: boolean): string {
  return [
    `curl -X POST '${baseUrl.replaceAll("'", "'\\''")}/api/ingest'`,
    ...(withToken ? ['-H "Authorization: Bearer $MILLSTREAM_KEY"'] : []),
    "-H 'Content-Type: application/json'",
    `-d '{"deviceId":"demo-1","fields":{"T1":21.5}}'`,
  ].join(' \\\n  ');
}

export function Empty() {
  const dashboard = useDashboard();
  const copied = useSignal(false);
  const command = publishCommand(dashboard.api.baseUrl, dashboard.session.secured);
  const copy = async (button: HTMLButtonElement) => {
    try {
      await navigator.clipboard.writeText(command);
      copied.value = true;
    } catch {
      // No clipboard without https: the text is selected instead, for the reader's own copy key.
      const block = button.parentElement?.querySelector('code');
      if (block) getSelection()?.selectAllChildren(block);
    }
  };
  return (
    <section class="card empty" aria-labelledby="empty-title" data-testid="empty">
      <h2 id="empty-title">{text.emptyTitle}</h2>
      <p>{text.emptyBody}</p>
      <div class="command">
        <pre tabIndex={0}><code>{command}</code></pre>
        <button type="button" onClick={(event) => void copy(event.currentTarget)}>{copied.value ? text.copied : text.copy}</button>
      </div>
    </section>
  );
}
