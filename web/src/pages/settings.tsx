// settings.tsx: the settings of this browser, and what comes of them: a sound and a desktop notification for new alerts.
//
// Errors   a browser may refuse either: the sound until someone has touched the page, the notification for good.

import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Dashboard } from '../dashboard.ts';
import type { Alert } from '../store/alerts.ts';
import { Announcer, type Told } from '../store/announcer.ts';
import { setWanted, wanted } from '../store/wanted.ts';
import { text } from '../text.ts';
import { words } from './settings_text.ts';
import { useDashboard } from '../view/context.ts';
import './settings.css';

const kStartMs = 500;    // a browser that lets it sound has it going by then
const kClaimMs = 3_000;  // tabs gather for a second, each from its own moment
const kClaimsMax = 20;   // of a batch

const sound = signal(wanted('sound'));
const desktop = signal(wanted('desktop') && permission() === 'granted');
const refused = signal(false);

// Without https there is none.
function permission(): NotificationPermission | 'missing' {
  return 'Notification' in window && isSecureContext ? Notification.permission : 'missing';
}

const isCritical = (alert: Alert) => alert.data.severity === 'critical';
const pause = (ms: number) => new Promise((resolve) => { setTimeout(resolve, ms); });

let audio: AudioContext | undefined;
function hear(): AudioContext {
  audio ??= new AudioContext();
  if (audio.state === 'suspended') void audio.resume();
  return audio;
}

// Two short tones, higher and three of them when it is critical.
function ring(critical: boolean): void {
  const context = hear();
  const tones = critical ? [880, 660, 880] : [523, 659];
  tones.forEach((frequency, i) => {
    const from = context.currentTime + i * 0.18;
    const tone = new OscillatorNode(context, { frequency });
    const volume = new GainNode(context, { gain: 0 });
    volume.gain.setValueAtTime(0, from);
    volume.gain.linearRampToValueAtTime(0.2, from + 0.02);
    volume.gain.linearRampToValueAtTime(0, from + 0.16);
    tone.connect(volume).connect(context.destination);
    tone.start(from);
    tone.stop(from + 0.17);
  });
}

// All tabs hear of the same alerts, each in its own batches: for each alert one rings, of those that can be heard.
function claim(alert: Alert): Promise<Alert | undefined> {
  const name = `millstream ring ${alert.key} ${alert.data.startedAt} ${alert.data.severity}`;
  return new Promise((resolve) => {
    void navigator.locks.request(name, { ifAvailable: true }, (lock) => {
      resolve(lock ? alert : undefined);
      return lock ? pause(kClaimMs) : undefined;
    });
  });
}

async function ringOnce(alerts: Alert[]): Promise<void> {
  const context = hear();
  await Promise.race([context.resume(), pause(kStartMs)]);
  if (context.state !== 'running') return;
  const gravestFirst = [...alerts].sort((a, b) => Number(isCritical(b)) - Number(isCritical(a))).slice(0, kClaimsMax);
  const ours = navigator.locks ? await Promise.all(gravestFirst.map(claim)) : gravestFirst;
  if (ours.some(Boolean)) ring(ours.some((alert) => alert && isCritical(alert)));
}

function show(dashboard: Dashboard, told: Told): void {
  const note = new Notification(told.title, { body: told.body, tag: told.tag });
  note.onclick = () => {
    window.focus();
    dashboard.place.go('alerts', told.alert ? { alert: told.alert.data.alertId } : {});
    note.close();
  };
}

// New alerts are told from here on, as far as someone wants to hear of them.
export function announce(dashboard: Dashboard): void {
  if (dashboard.onNewAlert) return;
  const announcer = new Announcer({ severity: text.severity, many: words.manyAlerts }, (told, alerts) => {
    if (sound.value) void ringOnce(alerts);
    if (desktop.value && permission() === 'granted') for (const one of told) show(dashboard, one);
  });
  dashboard.onNewAlert = (alert) => { if (sound.value || desktop.value) announcer.add(alert); };
  if (sound.value) for (const kind of ['pointerdown', 'keydown']) addEventListener(kind, () => hear(), { once: true });
}

function chooseSound(dashboard: Dashboard, on: boolean): void {
  sound.value = on;
  setWanted('sound', on);
  if (!navigator.locks) dashboard.shareAnew();
  if (on) ring(false);
}

async function chooseDesktop(on: boolean): Promise<void> {
  const allowed = on && permission() !== 'missing' && (await Notification.requestPermission()) === 'granted';
  refused.value = on && !allowed;
  desktop.value = allowed;
  setWanted('desktop', allowed);
}

export default function SettingsMenu({ close }: { close: () => void }) {
  const dashboard = useDashboard();
  const { place } = dashboard;
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => { dialog.current?.showModal(); }, []);
  const missing = permission() === 'missing';
  return (
    <dialog
      ref={dialog} class="settings card" aria-labelledby="settings-title" data-testid="settings-menu" onClose={close}
      onClick={(event) => { if (event.target === dialog.current) dialog.current?.close(); }}
    >
      <form method="dialog">
        <h2 id="settings-title">{text.settings}</h2>
        <p class="muted">{words.here}</p>
        <label>
          <input
            type="checkbox" data-testid="want-sound" checked={sound.value} aria-describedby="sound-hint"
            onChange={(event) => chooseSound(dashboard, event.currentTarget.checked)}
          />{words.sound}
        </label>
        <p class="muted" id="sound-hint">{words.soundHint}</p>
        <label>
          <input
            type="checkbox" data-testid="want-desktop" checked={desktop.value} disabled={missing} aria-describedby="desktop-hint"
            onChange={(event) => { const box = event.currentTarget; void chooseDesktop(box.checked).then(() => { box.checked = desktop.value; }); }}
          />{words.desktop}
        </label>
        <p class={refused.value ? 'refused' : 'muted'} id="desktop-hint" role="status">
          {missing ? words.desktopMissing : refused.value ? words.desktopRefused : words.desktopHint}
        </p>
        <p><a href={`${place.href('overview')}&kiosk=1`.replace('?&', '?')} data-testid="kiosk-link">{words.kiosk}</a></p>
        <button class="primary" autofocus>{words.close}</button>
      </form>
    </dialog>
  );
}
