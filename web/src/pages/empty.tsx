// empty.tsx: the overview before anything was published.

import './empty.css';
import { publishLine } from '../shell_line.ts';
import { Command } from '../view/command.tsx';
import { useDashboard } from '../view/context.ts';
import { PageLink } from '../view/page_link.tsx';
import { emptyText } from './empty_text.ts';

export default function Empty() {
  const dashboard = useDashboard();
  return (
    <section class="card empty" aria-labelledby="empty-title" data-testid="empty">
      <h2 id="empty-title">{emptyText.emptyTitle}</h2>
      <p>{emptyText.emptyBody}</p>
      <Command lines={publishLine(dashboard.api.baseUrl, dashboard.session.secured)} />
      <p class="muted">{emptyText.emptyWays} <PageLink page="connect" testId="empty-connect">{emptyText.emptyMore}</PageLink></p>
    </section>
  );
}
