// nav.tsx: the way to the pages.

import type { Page } from '../place.ts';
import { text } from '../text.ts';
import { useDashboard } from './context.ts';
import { PageLink } from './page_link.tsx';

const kListed = ['overview', 'alerts', 'rules', 'events', 'status', 'connect', 'users'] as const satisfies readonly Page[];

export function Nav() {
  const { place, session } = useDashboard();
  const admin = session.who.value?.roles.includes('admin') ?? false;
  return (
    <nav class="nav" aria-label={text.pagesLabel}>
      {kListed.filter((page) => page !== 'users' || admin).map((page) => (
        <PageLink key={page} page={page} testId={`nav-${page}`} current={place.page.value === page}>{text.pages[page]}</PageLink>
      ))}
    </nav>
  );
}
