// connect.tsx: how devices and programs send to this server, and how others follow it, in lines to copy.

import { useSignal, type Signal } from '@preact/signals';
import { formatSpan } from '../format.ts';
import {
  eventSourceLines, kWays, plainUrl, snippets, ticketLines, watchLine, type Target, type Way,
} from '../store/snippets.ts';
import { wrongsOf } from '../store/wrong_fields.ts';
import { Command } from '../view/command.tsx';
import { useDashboard } from '../view/context.ts';
import { PresenceMark } from '../view/icons.tsx';
import { PageLink } from '../view/page_link.tsx';
import { Field } from './console_parts.tsx';
import { words } from './connect_text.ts';
import { createKey, Secret, type NewKey } from './key_parts.tsx';
import './connect.css';

type Role = 'ingest' | 'viewer';

const isLoopback = (url: string) => /^(localhost|127\.|\[::1\])/.test(new URL(url).hostname);

function KeyBox({ role, made, name, placeholder = false }: { role: Role; made: Signal<NewKey | undefined>; name: string; placeholder?: boolean }) {
  const { api, session } = useDashboard();
  const busy = useSignal(false);
  const wrong = useSignal('');
  const roles = session.who.value?.roles ?? [];
  const admin = roles.includes('admin');
  const create = async () => {
    busy.value = true;
    wrong.value = '';
    try {
      made.value = await createKey(api, { name: words.keyName(name), roles: [role] });
    } catch (error) {
      wrong.value = Object.values(wrongsOf(error, [], words.unreachable)).join(' ');
    }
    busy.value = false;
  };
  if (made.value) {
    return (
      <div class="key-box">
        <Secret made={made.value} said={words.created[role]} />
        <p class="muted">{words.manage} <PageLink page="users">{words.users}</PageLink>.</p>
      </div>
    );
  }
  return (
    <div class="key-box" data-testid={`key-box-${role}`}>
      <p class="muted">
        {!session.secured ? words.notNeeded : placeholder ? words.placeholder : words.variable} {!admin && words.onlyAdmins(roles.join(', ') || words.noRoles)}
      </p>
      {admin && (
        <button type="button" disabled={busy.value} data-testid={`create-${role}`} onClick={() => void create()}>
          {busy.value ? words.creating : words.create[role]}
        </button>
      )}
      {wrong.value && <p class="refused" role="alert">{wrong.value}</p>}
    </div>
  );
}

function Arrived({ name }: { name: string }) {
  const dashboard = useDashboard();
  dashboard.drawn.value;
  const device = dashboard.devices.find(name, undefined);
  return (
    <p class="arrived" role="status" data-testid="arrived">
      {device === undefined ? <span class="muted">{words.waiting(name)}</span> : (
        <>
          {words.arrived} <PresenceMark status={device.status} /> <PageLink page="device" values={{ device: device.deviceId }}>{device.deviceId}</PageLink>
          {device.lastSeenMs !== undefined && <span class="muted num live-value" aria-live="off">{words.lastSeen(formatSpan(dashboard.serverNow() - device.lastSeenMs))}</span>}
        </>
      )}
    </p>
  );
}

function Watch({ target }: { target: Target }) {
  const { session } = useDashboard();
  const made = useSignal<NewKey | undefined>(undefined);
  const own: Target = { ...target, key: made.value?.key ?? session.secured };
  return (
    <section class="card" aria-labelledby="watch-title" data-testid="watch">
      <div class="card-head"><h2 id="watch-title">{words.watch}</h2></div>
      <div class="card-body">
        <p>{words.watchShell}</p>
        <Command lines={watchLine(own)} testId="watch-curl" />
        <KeyBox role="viewer" made={made} name="watch" />
        <p>{words.watchPage}</p>
        <Command lines={eventSourceLines(own)} testId="watch-page" />
        {(session.secured || made.value) && <><p>{words.watchTicket}</p><Command lines={ticketLines(own)} testId="watch-ticket" /></>}
        <p>{words.watchUrl}</p>
        <Command lines={plainUrl(own)} testId="watch-url" />
        {session.secured && <p class="muted">{words.urlSecured}</p>}
      </div>
    </section>
  );
}

export default function ConnectPage() {
  const { api, place, session } = useDashboard();
  const made = useSignal<NewKey | undefined>(undefined);
  const device = useSignal('demo-1');
  const asked = place.get('way');
  const way: Way = kWays.find((each) => each === asked) ?? 'curl';
  const good = /^[A-Za-z0-9._-]{1,64}$/.test(device.value);
  const target: Target = {
    baseUrl: api.baseUrl, account: session.who.value?.account ?? 'demo', device: good ? device.value : 'demo-1', key: made.value?.key ?? session.secured,
  };
  return (
    <>
      <section class="card connect" aria-labelledby="connect-title">
        <div class="card-head"><h2 id="connect-title">{words.title}</h2></div>
        <div class="card-body">
          <p>{words.intro}</p>
          {isLoopback(api.baseUrl) && <p class="muted" data-testid="loopback">{words.loopback}</p>}
          <nav class="ways" aria-label={words.waysLabel}>
            {kWays.map((each) => (
              <PageLink key={each} page="connect" values={{ way: each }} current={each === way} testId={`way-${each}`}>{words.ways[each]}</PageLink>
            ))}
          </nav>
          <div class="form">
            <Field label={words.device} hint={words.deviceHint} error={good ? undefined : words.badName} class="connect-device">
              {(described) => (
                <input {...described} data-testid="connect-device" autoComplete="off" spellcheck={false} value={device.value} onInput={(event) => { device.value = event.currentTarget.value.trim(); }} />
              )}
            </Field>
          </div>
          {snippets(way, target).map(({ name, lines }) => (
            <div class="snippet" key={name}><p>{words.snippets[name]}</p><Command lines={lines} testId={`snippet-${name}`} /></div>
          ))}
          <Arrived name={target.device} />
          {way === 'mqtt' ? <p class="muted">{words.mqttNote}</p> : <KeyBox key={way} role="ingest" made={made} name={way} placeholder={way === 'arduino'} />}
        </div>
      </section>
      <Watch target={target} />
    </>
  );
}
