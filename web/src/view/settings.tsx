// settings.tsx: the way to the settings of this browser; what is behind it is loaded when it is opened, or when someone here
// wants to hear of new alerts.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { wanted } from '../store/wanted.ts';
import { text } from '../text.ts';
import { useDashboard } from './context.ts';

type Loaded = typeof import('../pages/settings.tsx');

export function Settings() {
  const dashboard = useDashboard();
  const loaded = useSignal<Loaded | undefined>(undefined);
  const open = useSignal(false);
  const load = async () => {
    loaded.value ??= await import('../pages/settings.tsx');
    loaded.value.announce(dashboard);
  };
  useEffect(() => { if (wanted('sound') || wanted('desktop')) void load().catch(() => {}); }, []);
  const show = () => {
    open.value = true;
    void load().catch(() => { open.value = false; });
  };
  const Menu = loaded.value?.default;
  return (
    <>
      <button type="button" data-testid="settings" aria-haspopup="dialog" onClick={show}>{text.settings}</button>
      {open.value && Menu && <Menu close={() => { open.value = false; }} />}
    </>
  );
}
