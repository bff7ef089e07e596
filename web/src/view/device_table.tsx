// device_table.tsx: all devices in rows of one height, of which only those in view are in the document.

import { useEffect, useRef } from 'preact/hooks';
import { useSignal } from '@preact/signals';
import type { Presence } from '../../sdk/index.ts';
import type { Dashboard } from '../dashboard.ts';
import { formatSpan, formatValue } from '../format.ts';
import { orderDevices, type DeviceQuery, type SortKey } from '../store/device_order.ts';
import type { Device } from '../store/devices.ts';
import { text } from '../text.ts';
import { useDashboard } from './context.ts';
import { PresenceMark } from './icons.tsx';
import { StaleNote } from './stale_note.tsx';

const kRowPx = 32;
const kSpareRows = 6;
const kValuesMax = 6;
const kReorderMs = 5_000;

const columns: { key: SortKey | undefined; label: string; name: string }[] = [
  { key: 'status', label: text.status, name: 'status' },
  { key: 'device', label: text.device, name: 'device' },
  { key: 'site', label: text.site, name: 'site' },
  { key: undefined, label: text.values, name: 'values' },
  { key: 'lastSeen', label: text.lastSeen, name: 'seen' },
];

// Sorted again only when something that decides the order has changed. A row that is read must not run away, so
// an order by age moves every few seconds only.
function useOrder(dashboard: Dashboard, query: DeviceQuery): Device[] {
  const kept = useRef<{ key: string; devices: Device[] }>({ key: '', devices: [] });
  const turn = query.sort === 'lastSeen' || query.search !== '' ? Math.floor(dashboard.nowMs.value / kReorderMs) : 0;
  const key = [dashboard.devices.shape, turn, query.search, query.status, query.sort, query.descending].join('\n');
  if (kept.current.key !== key) kept.current = { key, devices: orderDevices(dashboard.devices.byTopic.values(), query) };
  return kept.current.devices;
}

function Values({ device }: { device: Device }) {
  const shown = [...device.cells].slice(0, kValuesMax);
  return (
    <span class="values">
      {shown.map(([name, cell]) => (
        <span class="value" key={name} title={`${name} ${formatValue(cell.value)}`}>
          <span class="value-name">{name}</span>
          <span class="num live-value" data-testid="device-value" data-field={name}>{formatValue(cell.value)}</span>
        </span>
      ))}
    </span>
  );
}

function Row({ device, index, now, chosen }: { device: Device; index: number; now: number; chosen: boolean }) {
  const dashboard = useDashboard();
  return (
    <tr
      data-testid="device-row" data-device={device.deviceId} data-site={device.siteId} data-status={device.status}
      aria-rowindex={index + 2} aria-current={chosen ? 'true' : undefined} onClick={() => dashboard.choose(device)}
    >
      <td class="col-status"><PresenceMark status={device.status} /></td>
      <td class="col-device"><button type="button" class="plain" title={device.deviceId}>{device.deviceId}</button></td>
      <td class="col-site" title={device.siteId}>{device.siteId}</td>
      <td class="col-values"><Values device={device} /></td>
      <td class="col-seen num live-value">
        {device.lastSeenMs === undefined ? text.never : formatSpan(now - device.lastSeenMs)}
      </td>
    </tr>
  );
}

function Head({ query }: { query: DeviceQuery }) {
  const dashboard = useDashboard();
  const sortBy = (key: SortKey) => {
    dashboard.query.value = { ...query, sort: key, descending: query.sort === key && !query.descending };
  };
  return (
    <thead>
      <tr aria-rowindex={1}>
        {columns.map(({ key, label, name }) => {
          const sorted = key !== undefined && query.sort === key;
          const direction = query.descending ? 'descending' : 'ascending';
          return (
            <th scope="col" class={`col-${name}`} key={name} aria-sort={sorted ? direction : undefined}>
              {key === undefined ? label : (
                <button type="button" class="plain" onClick={() => sortBy(key)}>
                  {label}<span class="sort" aria-hidden="true">{sorted ? (query.descending ? '↓' : '↑') : ''}</span>
                </button>
              )}
            </th>
          );
        })}
      </tr>
    </thead>
  );
}

function Filters({ query }: { query: DeviceQuery }) {
  const dashboard = useDashboard();
  const set = (change: Partial<DeviceQuery>) => { dashboard.query.value = { ...query, ...change }; };
  const statuses: Presence[] = ['online', 'stale', 'offline', 'unknown'];
  return (
    <div class="filters">
      <input
        type="search" data-testid="device-search" aria-label={text.search} placeholder={text.searchHint}
        value={query.search} onInput={(event) => set({ search: event.currentTarget.value })}
      />
      <select
        data-testid="device-status-filter" aria-label={text.status} value={query.status}
        onChange={(event) => set({ status: event.currentTarget.value as DeviceQuery['status'] })}
      >
        <option value="all">{text.statusAll}</option>
        {statuses.map((status) => <option key={status} value={status}>{text.presence[status]}</option>)}
      </select>
    </div>
  );
}

function Nothing({ dashboard }: { dashboard: Dashboard }) {
  if (dashboard.devices.size === 0) return <p class="note">{text.loading}</p>;
  const showAll = () => { dashboard.query.value = { ...dashboard.query.value, search: '', status: 'all' }; };
  return <p class="note">{text.noMatch} <button type="button" onClick={showAll}>{text.clearFilter}</button></p>;
}

export function DeviceTable() {
  const dashboard = useDashboard();
  const firstRow = useSignal(0);
  const rowsInView = useSignal(24);
  dashboard.drawn.value;
  const query = dashboard.query.value;
  const devices = useOrder(dashboard, query);
  const now = dashboard.serverNow();
  const chosen = dashboard.chosen.value;

  const measure = (box: HTMLElement) => {
    firstRow.value = Math.floor(box.scrollTop / kRowPx);
    rowsInView.value = Math.ceil(box.clientHeight / kRowPx);
  };
  // A device chosen elsewhere (the link, an alert) is brought into view; one that was clicked here is there already.
  const box = useRef<HTMLDivElement | null>(null);
  useEffect(() => {
    const index = chosen ? devices.indexOf(chosen) : -1;
    if (!box.current) return;
    measure(box.current);
    if (index < 0) return;
    const { scrollTop, clientHeight } = box.current;
    const top = index * kRowPx;
    if (top >= scrollTop && top + 2 * kRowPx <= scrollTop + clientHeight) return;
    box.current.scrollTop = top - Math.floor(clientHeight / kRowPx / 2) * kRowPx;
    measure(box.current);
  }, [chosen]);

  const last = Math.min(devices.length, firstRow.value + rowsInView.value + kSpareRows);
  const first = Math.max(0, Math.min(firstRow.value - kSpareRows, devices.length - rowsInView.value));
  const rows = devices.slice(first, last);
  return (
    <section class="card devices" id="devices" aria-labelledby="devices-title">
      <div class="card-head">
        <h2 id="devices-title">{text.devices}</h2>
        <span class="muted num" data-testid="devices-shown">{text.shownOf(devices.length, dashboard.devices.size)}</span>
        <StaleNote />
        <span class="grow" />
        <Filters query={query} />
      </div>
      <div
        class="rows" tabIndex={0} role="group" aria-label={text.tableRows}
        ref={box} onScroll={(event) => measure(event.currentTarget)}
      >
        <table aria-labelledby="devices-title" aria-rowcount={devices.length + 1}>
          <Head query={query} />
          <tbody>
            <tr class="spacer" aria-hidden="true" style={{ height: `${first * kRowPx}px` }} />
            {rows.map((device, i) => (
              <Row key={device.topic} device={device} index={first + i} now={now} chosen={device === chosen} />
            ))}
            <tr class="spacer" aria-hidden="true" style={{ height: `${(devices.length - last) * kRowPx}px` }} />
          </tbody>
        </table>
        {devices.length === 0 && <Nothing dashboard={dashboard} />}
      </div>
    </section>
  );
}
