// empty.tsx: the overview before anything was published.

import './empty.css';
import { publishLine } from '../shell_line.ts';
import { text } from '../text.ts';
import { Command } from '../view/command.tsx';
import { useDashboard } from '../view/context.ts';
import { PageLink } from '../view/page_link.tsx';

export default function Empty() {
  const dashboard = useDashboard();
  return (
    <section class="card empty" aria-labelledby="empty-title" data-testid="empty">
      <h2 id="empty-title">{text.emptyTitle}</h2>
      <p>{text.emptyBody}</p>
      <Command lines={publishLine(dashboard.api.baseUrl, dashboard.session.secured)} />
      <p class="muted">{text.emptyWays} <PageLink page="connect" testId="empty-connect">{text.emptyMore}</PageLink></p>
    </section>
  );
}
