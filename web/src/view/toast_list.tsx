import { text } from '../text.ts';
import { useDashboard } from './context.ts';
import { SeverityMark } from './icons.tsx';

export function ToastList() {
  const dashboard = useDashboard();
  dashboard.drawn.value;
  const { list, more } = dashboard.toasts;
  return (
    <div class="toasts" role="log" aria-live="polite" aria-label={text.toasts} data-testid="toasts">
      {more > 0 && <p class="toast more">{text.toastMore(more)}</p>}
      {list.map(({ alert }) => (
        <div class={`toast toast-${alert.data.severity}`} key={alert.key} data-testid="toast" data-alert={alert.data.alertId}>
          <SeverityMark severity={alert.data.severity} />
          <button type="button" class="plain toast-text" onClick={() => dashboard.chooseTopic(alert.topic)}>
            {alert.data.message || alert.data.ruleName}
          </button>
          <button type="button" class="icon" aria-label={text.toastDismiss} onClick={() => dashboard.dismissToast(alert.key)}>✕</button>
        </div>
      ))}
    </div>
  );
}
