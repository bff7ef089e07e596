// icons.tsx: shapes. A state is always a shape, a word and a colour; the shape alone is hidden from screen readers.

import type { ComponentChildren } from 'preact';
import type { Presence, Severity } from '../../sdk/index.ts';
import { text } from '../text.ts';
import type { ThemeChoice } from '../theme.ts';

function Shape({ children, size = 14 }: { children: ComponentChildren; size?: number }) {
  return (
    <svg class="shape" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

const line = { fill: 'none', stroke: 'currentColor', 'stroke-width': 2 } as const;

const presenceShapes: Record<Presence, ComponentChildren> = {
  online: <circle cx="8" cy="8" r="5" fill="currentColor" />,
  stale: <><rect x="3" y="3" width="10" height="10" {...line} /><path d="M8 5.5v3h2.5" {...line} stroke-width={1.6} /></>,
  offline: <><rect x="3" y="3" width="10" height="10" {...line} /><path d="M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8" {...line} stroke-width={1.6} /></>,
  unknown: <circle cx="8" cy="8" r="5" {...line} stroke-dasharray="2.4 2.8" />,
};

const severityShapes: Record<Severity, ComponentChildren> = {
  info: <><circle cx="8" cy="8" r="6" {...line} /><path d="M8 7.4v3.8M8 4.6v1.2" {...line} /></>,
  warning: <><path d="M8 1.6l6.9 12.2H1.1z" fill="var(--amber)" stroke="currentColor" stroke-width="1.2" stroke-linejoin="round" /><path d="M8 6v3.8M8 11.2v1.4" stroke="var(--on-amber)" stroke-width="1.7" /></>,
  critical: <><path d="M5.2 1h5.6L15 5.2v5.6L10.8 15H5.2L1 10.8V5.2z" fill="currentColor" /><path d="M8 4v5M8 10.6v1.7" stroke="var(--on-critical)" stroke-width="1.9" /></>,
};

export function PresenceMark({ status }: { status: Presence }) {
  return <span class={`mark presence-${status}`}><Shape>{presenceShapes[status]}</Shape>{text.presence[status]}</span>;
}

export function SeverityMark({ severity, quiet = false }: { severity: Severity; quiet?: boolean }) {
  return (
    <span class={`mark ${quiet ? 'quiet' : ''} severity-${severity}`}>
      <Shape>{severityShapes[severity]}</Shape>{text.severity[severity]}
    </span>
  );
}

export function SeverityShape({ severity }: { severity: Severity }) {
  return <span class={`severity-${severity}`}><Shape>{severityShapes[severity]}</Shape></span>;
}

const liveShapes = {
  connected: presenceShapes.online,
  connecting: presenceShapes.unknown,
  reconnecting: <path d="M13 8a5 5 0 1 1-1.6-3.7M11.8 1.6v3h-3" {...line} />,
  signin: <><rect x="3" y="7" width="10" height="7" fill="currentColor" /><path d="M5 7V5a3 3 0 0 1 6 0v2" {...line} /></>,
  closed: presenceShapes.offline,
};
export function LiveShape({ state }: { state: keyof typeof liveShapes }) {
  return <Shape>{liveShapes[state]}</Shape>;
}

const themeShapes: Record<ThemeChoice, ComponentChildren> = {
  auto: <><circle cx="8" cy="8" r="5.5" {...line} stroke-width={1.6} /><path d="M8 2.5a5.5 5.5 0 0 1 0 11z" fill="currentColor" /></>,
  light: <><circle cx="8" cy="8" r="3" fill="currentColor" /><path d="M8 1v2M8 13v2M1 8h2M13 8h2M3 3l1.5 1.5M11.5 11.5L13 13M13 3l-1.5 1.5M4.5 11.5L3 13" {...line} stroke-width={1.5} /></>,
  dark: <path d="M12.8 10A5.6 5.6 0 0 1 6 3.2 5.6 5.6 0 1 0 12.8 10z" fill="currentColor" />,
};
export function ThemeShape({ choice }: { choice: ThemeChoice }) {
  return <Shape>{themeShapes[choice]}</Shape>;
}

export function Logo() {
  return (
    <svg class="logo" width="24" height="24" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d="M1.5 5q1.6-2.4 3.25 0t3.25 0 3.25 0 3.25 0M1.5 11q1.6-2.4 3.25 0t3.25 0 3.25 0 3.25 0" {...line} stroke-width={1.7} stroke-linecap="round" />
    </svg>
  );
}
