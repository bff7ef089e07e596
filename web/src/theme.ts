// theme.ts: light, dark, or as the system says; remembered in this browser.

import { computed, effect, signal } from '@preact/signals';

export type ThemeChoice = 'auto' | 'light' | 'dark';
const kKey = 'millstream.theme';
const kNext: Record<ThemeChoice, ThemeChoice> = { auto: 'light', light: 'dark', dark: 'auto' };

function remembered(): ThemeChoice {
  try {
    const value = localStorage.getItem(kKey);
    return value === 'light' || value === 'dark' ? value : 'auto';
  } catch {
    return 'auto';  // storage may be forbidden
  }
}

export const themeChoice = signal<ThemeChoice>('auto');
const systemDark = signal(false);
export const themeShown = computed<'light' | 'dark'>(() =>
  themeChoice.value === 'auto' ? (systemDark.value ? 'dark' : 'light') : themeChoice.value);

export function startTheme(): void {
  const query = matchMedia('(prefers-color-scheme: dark)');
  systemDark.value = query.matches;
  query.addEventListener('change', () => { systemDark.value = query.matches; });
  themeChoice.value = remembered();
  effect(() => {
    if (themeChoice.value === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = themeChoice.value;
  });
}

export function nextTheme(): void {
  themeChoice.value = kNext[themeChoice.value];
  try {
    localStorage.setItem(kKey, themeChoice.value);
  } catch {
    // The choice then lasts as long as the page.
  }
}
