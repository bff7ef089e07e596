// device_table.tsx: all devices in rows of one height, of which only those in view are in the document.

import { useEffect, useRef } from 'preact/hooks';
import { useSignal } from '@preact/signals';
import type { Presence } from '../../sdk/index.ts';
import type { Dashboard } from '../dashboard.ts';
import { formatSpan, formatValue, withUnit } from '../format.ts';
import {
  groupBySite, orderDevices, type DeviceQuery, type SiteRow, type SortKey, type TableRow,
} from '../store/device_order.ts';
import { Device } from '../store/devices.ts';
import { text } from '../text.ts';
import { useDashboard } from './context.ts';
import { PresenceMark } from './icons.tsx';
import { PageLink } from './page_link.tsx';
import { Spark } from './spark.tsx';
import { StaleNote } from './stale_note.tsx';

const kRowPx = 32;
const kKioskRowPx = 44;
const kSpareRows = 6;
const kValuesMax = 6;
const kReorderMs = 5_000;

const columns: { key: SortKey | undefined; label: string; name: string }[] = [
  { key: 'status', label: text.status, name: 'status' },
  { key: 'device', label: text.device, name: 'device' },
  { key: 'site', label: text.site, name: 'site' },
  { key: undefined, label: text.trend, name: 'trend' },
  { key: undefined, label: text.values, name: 'values' },
  { key: 'lastSeen', label: text.lastSeen, name: 'seen' },
];

// Sorted again only when something that decides the order has changed. A row that is read must not run away, so
// an order by age moves every few seconds only.
function useOrder(dashboard: Dashboard, query: DeviceQuery, closed: ReadonlySet<string>): { devices: Device[]; rows: TableRow[] } {
  const kept = useRef<{ key: string; closed: unknown; devices: Device[]; rows: TableRow[] }>({ key: '', closed, devices: [], rows: [] });
  const turn = query.sort === 'lastSeen' || query.search !== '' ? Math.floor(dashboard.nowMs.value / kReorderMs) : 0;
  const key = [dashboard.devices.shape, turn, query.search, query.status, query.sort, query.descending, query.grouped].join('\n');
  if (kept.current.key !== key || kept.current.closed !== closed) {
    const devices = orderDevices(dashboard.devices.byTopic.values(), query);
    const rows = query.grouped ? groupBySite(devices, closed, query.sort === 'site' && query.descending) : devices;
    kept.current = { key, closed, devices, rows };
  }
  return kept.current;
}

// The value that is drawn stands first.
function Values({ device, lead }: { device: Device; lead: string | undefined }) {
  const first = lead === undefined ? undefined : device.cells.get(lead);
  const shown = [...(first ? [[lead!, first] as const] : [])];
  for (const entry of device.cells) {
    if (shown.length === kValuesMax) break;
    if (entry[0] !== lead) shown.push(entry);
  }
  return (
    <span class="values">
      {shown.map(([name, cell]) => {
        const value = withUnit(formatValue(cell.value), cell.unit);
        return (
          <span class="value" key={name} title={`${name} ${value}`}>
            <span class="value-name">{name}</span>
            <span class="num live-value" data-testid="device-value" data-field={name}>{value}</span>
          </span>
        );
      })}
    </span>
  );
}

interface RowProps {
  device: Device;
  index: number;
  now: number;
  chosen: boolean;
}

function Row({ device, index, now, chosen }: RowProps) {
  const dashboard = useDashboard();
  const lead = device.leadField(dashboard.devices.leadField);
  const recent = lead === undefined ? undefined : device.cells.get(lead)?.recent;
  return (
    <tr
      data-testid="device-row" data-device={device.deviceId} data-site={device.siteId} data-status={device.status}
      aria-rowindex={index + 2} aria-current={chosen ? 'true' : undefined} onClick={() => dashboard.choose(device)}
    >
      <td class="col-status"><PresenceMark status={device.status} /></td>
      <td class="col-device" title={device.deviceId}>
        <PageLink page="device" values={dashboard.placeOf(device)} testId="device-link">{device.deviceId}</PageLink>
      </td>
      <td class="col-site" title={device.siteId}>{device.siteId}</td>
      <td class="col-trend">
        {lead !== undefined && (
          <button type="button" class="plain" aria-label={text.showChart(lead, device.deviceId)} title={text.showChart(lead, device.deviceId)}>
            <Spark recent={recent} added={recent?.added} />
          </button>
        )}
      </td>
      <td class="col-values"><Values device={device} lead={lead} /></td>
      <td class="col-seen num live-value">
        {device.lastSeenMs === undefined ? text.never : formatSpan(now - device.lastSeenMs)}
      </td>
    </tr>
  );
}

function Group({ row, index, toggle }: { row: SiteRow; index: number; toggle: (site: string) => void }) {
  const troubled = (['offline', 'stale', 'unknown'] as const).filter((status) => row.counts[status] > 0);
  return (
    <tr class="site-row" aria-rowindex={index + 2} data-testid="site-row" data-site={row.site}>
      <td colSpan={columns.length}>
        <button type="button" class="plain" aria-expanded={!row.closed} onClick={() => toggle(row.site)}>
          <span class="turn" aria-hidden="true">{row.closed ? '▸' : '▾'}</span>
          <b class="cut">{row.site}</b><span class="muted num">{row.size}</span>
          {troubled.map((status) => <span class="num" key={status}>{row.counts[status]} <PresenceMark status={status} /></span>)}
        </button>
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
      <button
        type="button" data-testid="group-by-site" aria-pressed={query.grouped ?? false} onClick={() => set({ grouped: !query.grouped })}
      >{text.groupBySite}</button>
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
  const closed = useSignal<ReadonlySet<string>>(new Set());
  const { devices, rows: all } = useOrder(dashboard, query, closed.value);
  const rowPx = dashboard.place.kiosk ? kKioskRowPx : kRowPx;
  const toggle = (site: string) => {
    const next = new Set(closed.value);
    if (!next.delete(site)) next.add(site);
    closed.value = next;
  };
  const now = dashboard.serverNow();
  const chosen = dashboard.chosen.value;

  const measure = (box: HTMLElement) => {
    firstRow.value = Math.floor(box.scrollTop / rowPx);
    rowsInView.value = Math.ceil(box.clientHeight / rowPx);
  };
  // A device chosen elsewhere (the link, an alert) is brought into view; one that was clicked here is there already.
  const box = useRef<HTMLDivElement | null>(null);
  useEffect(() => {
    const index = chosen ? all.indexOf(chosen) : -1;
    if (!box.current) return;
    measure(box.current);
    if (index < 0) return;
    const { scrollTop, clientHeight } = box.current;
    const top = index * rowPx;
    if (top >= scrollTop && top + 2 * rowPx <= scrollTop + clientHeight) return;
    box.current.scrollTop = top - Math.floor(clientHeight / rowPx / 2) * rowPx;
    measure(box.current);
  }, [chosen]);

  const last = Math.min(all.length, firstRow.value + rowsInView.value + kSpareRows);
  const first = Math.max(0, Math.min(firstRow.value - kSpareRows, all.length - rowsInView.value));
  const rows = all.slice(first, last);
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
        <table aria-labelledby="devices-title" aria-rowcount={all.length + 1}>
          <Head query={query} />
          <tbody>
            <tr class="spacer" aria-hidden="true" style={{ height: `${first * rowPx}px` }} />
            {rows.map((row, i) => (
              row instanceof Device
                ? <Row key={row.topic} device={row} index={first + i} now={now} chosen={row === chosen} />
                : <Group key={`site ${row.site}`} row={row} index={first + i} toggle={toggle} />
            ))}
            <tr class="spacer" aria-hidden="true" style={{ height: `${(all.length - last) * rowPx}px` }} />
          </tbody>
        </table>
        {devices.length === 0 && <Nothing dashboard={dashboard} />}
      </div>
    </section>
  );
}
