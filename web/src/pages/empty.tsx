// empty.tsx: the overview before anything was published.

import './empty.css';
import { publishLine } from '../shell_line.ts';
import { Command } from '../view/command.tsx';
import { useDashboard } from '../view/context.ts';
import { PageLink } from '../view/page_link.tsx';
import { words } from './empty_text.ts';

export default function Empty() {
  const dashboard = useDashboard();
  return (
    <section class="card empty" aria-labelledby="empty-title" data-testid="empty">
      <h2 id="empty-title">{words.title}</h2>
      <p>{words.body}</p>
      <Command lines={publishLine(dashboard.api.baseUrl, dashboard.session.secured)} />
      <p class="muted">{words.ways} <PageLink page="connect" testId="empty-connect">{words.more}</PageLink></p>
    </section>
  );
}
