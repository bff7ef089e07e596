// page_link.tsx: a link to another place of the page. Opens in this tab without loading anything anew; with the keys that
// open a tab, it opens a tab.

import type { ComponentChildren } from 'preact';
import type { Page, Values } from '../place.ts';
import { useDashboard } from './context.ts';

interface Props {
  page: Page;
  values?: Values;
  class?: string;
  testId?: string;
  current?: boolean;
  children: ComponentChildren;
}

export function PageLink({ page, values, class: name, testId, current = false, children }: Props) {
  const { place } = useDashboard();
  const follow = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    place.go(page, values);
  };
  return (
    <a class={name} href={place.href(page, values)} data-testid={testId} aria-current={current ? 'page' : undefined} onClick={follow}>
      {children}
    </a>
  );
}
