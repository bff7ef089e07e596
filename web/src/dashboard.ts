// dashboard.ts: the state behind the page: the stream and the REST answers in, signals out.
//
// Flow     events change the stores as they come; a timer draws what changed at 4 Hz. Nothing is queued between the
//          two, so a hidden tab, whose timers are slow, holds no backlog.
// Errors   a REST read that failed is tried again while the stream is live; a refused credential ends the session, and
//          with it every request.

import { batch, signal } from '@preact/signals';
import {
  kZeroId, MillstreamClient, parseEventId, type ClientOptions, type LiveStatus, type StreamEvent, type SystemBlock,
} from '../sdk/index.ts';
import { share } from '../sdk/share.ts';
import { Api, ApiError, type BackfillAnswer } from './api.ts';
import { asNumber, parseTime } from './format.ts';
import type { Place } from './place.ts';
import { Session } from './session.ts';
import { Alerts, kAlertSpanMs, type Alert } from './store/alerts.ts';
import { ChartSource, type Range } from './store/chart_source.ts';
import { orderDevices, type DeviceQuery } from './store/device_order.ts';
import { Devices, type Device } from './store/devices.ts';
import { Rate } from './store/rate.ts';
import { Toasts } from './store/toasts.ts';
import { wanted } from './store/wanted.ts';

export const kDrawMs = 250;
const kReloadMs = 5_000;
const kAlertEventsMax = 200;
const kLogMax = 20_000;

export type Load = 'loading' | 'ready' | 'failed';

export interface DashboardOptions {
  baseUrl: string;
  place: Place;
  client?: Partial<ClientOptions>;
}

export class Dashboard {
  readonly devices = new Devices(() => this.place.get('field'));
  readonly alerts = new Alerts();
  readonly toasts = new Toasts();
  readonly api: Api;
  readonly session: Session;
  readonly log: string[] = [];  // ids of the events received, in order; the newest kLogMax
  client: MillstreamClient;

  readonly drawn = signal(0);   // one more for every drawing: views read it to follow the stores
  readonly live = signal<LiveStatus>({ state: 'connecting' });
  readonly storage = signal('ok');  // else why the server can store nothing new
  readonly nowMs = signal(0);   // the server's clock, whole seconds
  readonly version = signal('');
  readonly devicesLoad = signal<Load>('loading');
  readonly alertsLoad = signal<Load>('loading');
  readonly alertsNext = signal<string | null>(null);
  readonly query = signal<DeviceQuery>({ search: '', status: 'all', sort: 'device', descending: false });
  readonly chosen = signal<Device | undefined>(undefined);
  readonly chart = signal<ChartSource | undefined>(undefined);
  readonly place: Place;
  readonly pageCharts = new Set<ChartSource>();  // of the page in view, besides `chart`
  onNewAlert: ((alert: Alert) => void) | undefined;

  private readonly rate = new Rate();
  private clockOffsetMs = 0;
  private dirty = true;
  private timer: ReturnType<typeof setInterval> | undefined;
  private reloadDue = false;
  private reloadAt = 0;
  private readings = 0;  // answers to an earlier credential are not taken
  private confirmed = false;  // the session was asked about when this connection was begun

  constructor(private readonly options: DashboardOptions) {
    this.place = options.place;
    // Nobody scrolls on a wall: what is in trouble stands first there.
    if (this.place.kiosk) this.query.value = { ...this.query.value, sort: 'status' };
    this.api = new Api(options.baseUrl, () => this.session.token);
    this.session = new Session(this.api, {
      begin: (same) => this.begin(same),
      end: () => this.end(),
      clear: () => this.clear(),
    });
    this.client = this.newClient();
  }

  start(): void {
    this.nowMs.value = this.serverNow();
    this.timer = setInterval(() => this.draw(), kDrawMs);
    void this.session.start();
  }

  // With the tabs of this browser that may share a stream, as it is wanted now.
  shareAnew(): void { this.client.setToken(this.session.token); }

  stop(): void {
    clearInterval(this.timer);
    this.session.stop();
    this.client.close();
  }

  // For the same eyes the stream goes on where it stood, so that nothing on the page is lost; else everything begins anew,
  // because another account's devices must not stay in view.
  private begin(same: boolean): void {
    ++this.readings;
    this.confirmed = true;
    if (!same) {
      this.client.close();
      this.clear();
      this.client = this.newClient();
    }
    this.client.setToken(this.session.token);
    this.client.connect();
    this.reload();
  }

  private end(): void {
    this.client.close();
    this.live.value = { state: 'signin' };
    this.mark();
  }

  private clear(): void {
    ++this.readings;
    this.devices.clear();
    this.alerts.clear();
    this.toasts.list = [];
    this.log.length = 0;
    batch(() => {
      this.devicesLoad.value = this.alertsLoad.value = 'loading';
      this.alertsNext.value = null;
      this.chosen.value = this.chart.value = undefined;
    });
    this.mark();
  }

  serverNow(): number { return Date.now() + this.clockOffsetMs; }
  eventsPerSecond(): number { return this.rate.perSecond(Date.now()); }
  // When the values on the page were last known to be so, epoch ms of the server's clock; undefined: they are live.
  asOfMs(): number | undefined {
    if (this.live.value.state === 'connected') return undefined;
    return this.client.lastHeardAt === 0 ? undefined : this.client.lastHeardAt + this.clockOffsetMs;
  }

  // The value shown stays the same where the other device has it too.
  choose(device: Device, field: string | undefined = this.place.get('field')): void {
    this.place.set({ ...this.placeOf(device), field });
    this.chosen.value = device;
    this.openChart();
  }
  chooseTopic(topic: string): void {
    const device = this.devices.byTopic.get(topic);
    if (device) this.choose(device);
  }
  chooseField(field: string): void {
    if (this.chosen.value) this.choose(this.chosen.value, field);
  }
  chooseRange(range: Range): void {
    this.place.set({ range });
    this.openChart();
  }
  reloadChart(): void { void this.chart.value?.load(this.serverNow()); }
  // A view draws anew with the next drawing.
  mark(): void { this.dirty = true; }

  dismissToast(key: string): void {
    this.toasts.dismiss(key);
    this.mark();
  }

  // What is shown may no longer be so.
  get stale(): boolean {
    const { state } = this.live.value;
    return state !== 'connected' && (state !== 'connecting' || this.asOfMs() !== undefined);
  }

  // What a chart can show of a device: its numbers.
  chartFields(device: Device): string[] {
    const fields: string[] = [];
    for (const [name, cell] of device.cells) if (asNumber(cell.value) !== undefined) fields.push(name);
    return fields;
  }

  async loadOlderAlerts(): Promise<void> {
    const cursor = this.alertsNext.value;
    if (cursor) await this.loadAlerts(cursor);
  }

  async loadAlerts(cursor?: string): Promise<void> {
    const reading = this.readings;
    try {
      // First, because the page read after it may tell how an alert ended.
      if (!cursor) await this.loadOpenAlerts(reading);
      const answer = await this.api.backfill({
        types: 'alert', order: 'desc', limit: kAlertEventsMax,
        since: new Date(this.serverNow() - kAlertSpanMs).toISOString(),
        ...(cursor ? { cursor } : {}),
      });
      if (reading === this.readings) this.takeAlerts(answer);
    } catch (error) {
      if (reading === this.readings) this.readFailed(error, this.alertsLoad);
    }
    this.mark();
  }

  private async loadOpenAlerts(reading: number): Promise<void> {
    const answer = await this.api.latest({ types: 'alert' });
    if (reading !== this.readings) return;
    const open = answer.events.filter((event) => event.type === 'alert');
    this.alerts.replaceOpen(open, parseEventId(answer.asOf) ?? kZeroId);
  }

  private newClient(): MillstreamClient {
    const { session } = this;
    const client = new MillstreamClient({
      ...this.options.client,
      baseUrl: this.options.baseUrl,
      snapshot: 'latest',
      get shareKey() { return session.sight; },
      // Without locks a hidden tab has no stream, and one that rings needs it.
      get share() { return globalThis.navigator?.locks || !wanted('sound') ? share : undefined; },
    });
    client.onStatus((status) => this.takeStatus(status));
    client.onEvent((event) => this.takeEvent(event));
    client.onGap(() => this.reload());
    client.on('block', (block) => this.takeBlock(block));
    return client;
  }

  private reload(): void {
    this.reloadDue = false;
    this.reloadAt = Date.now() + kReloadMs;
    void this.loadDevices();
    void this.loadAlerts();
    this.reloadChart();
    for (const chart of this.pageCharts) if (!chart.held) void chart.load(this.serverNow());
  }

  private async loadDevices(): Promise<void> {
    const reading = this.readings;
    try {
      const answer = await this.api.devices();
      if (reading !== this.readings) return;
      this.devices.replace(answer);
      this.devicesLoad.value = 'ready';
    } catch (error) {
      if (reading === this.readings) this.readFailed(error, this.devicesLoad);
    }
    this.mark();
  }

  private async loadVersion(): Promise<void> {
    try {
      this.version.value = (await this.api.health()).version;
    } catch {
      // The page does without.
    }
  }

  private takeAlerts(answer: BackfillAnswer): void {
    for (const event of answer.events) if (event.type === 'alert') this.alerts.put(event);
    batch(() => {
      this.alertsNext.value = answer.next;
      this.alertsLoad.value = 'ready';
    });
  }

  private readFailed(error: unknown, load: { value: Load }): void {
    load.value = 'failed';
    if (error instanceof ApiError && error.credential) this.session.refused(error.status === 403 ? 403 : 401);
    else this.reloadDue = true;
  }

  private takeStatus(status: LiveStatus): void {
    const before = this.live.value.state;
    this.live.value = status;
    if (status.state === 'signin') this.session.refused(401);
    if (status.state === 'connected' && before !== 'connected') {
      void this.loadVersion();
      if (!this.confirmed || !this.session.who.value) void this.session.confirm();
      this.confirmed = false;
    }
    this.mark();
  }

  private takeBlock(block: SystemBlock): void {
    const { kind } = block.data;
    const ts = parseTime(block.ts);
    if (kind === 'hello') this.storage.value = 'ok';  // said again by a server where it is not so
    if (kind === 'degraded' && typeof block.data.storage === 'string') this.storage.value = block.data.storage;
    if (kind === 'auth_expiring') this.session.expiring(this.serverNow());
    if (ts !== undefined && (kind === 'hello' || kind === 'heartbeat')) this.clockOffsetMs = ts - Date.now();
    this.mark();
  }

  private takeEvent(event: StreamEvent): void {
    if (!event.snapshot) {
      this.rate.add(Date.now());
      this.log.push(event.id);
      if (this.log.length > kLogMax) this.log.splice(0, this.log.length - kLogMax + kLogMax / 20);
    }
    if (event.type === 'telemetry') {
      const device = this.devices.telemetry(event);
      const chart = this.chart.peek();
      if (event.snapshot || !device) return this.mark();
      if (chart?.device === device) chart.add(event);
      for (const other of this.pageCharts) if (other.device === device) other.add(event);
    } else if (event.type === 'device_status') {
      this.devices.status(event);
    } else if (event.type === 'alert') {
      const alert = this.alerts.put(event);
      if (alert && !event.snapshot) {
        this.toasts.add(alert, Date.now());
        this.onNewAlert?.(alert);
      }
    }
    this.mark();
  }

  private draw(): void {
    const second = Math.floor(this.serverNow() / 1000) * 1000;
    const tick = second !== this.nowMs.peek();
    if (!this.dirty && !tick) return;
    this.dirty = false;
    if (tick) this.tick(second);
    this.follow();
    this.toasts.advance(Date.now(), this.alerts);
    batch(() => {
      this.nowMs.value = second;
      ++this.drawn.value;
    });
  }

  private tick(second: number): void {
    this.alerts.prune(second);
    const live = this.live.peek().state === 'connected';
    if (this.reloadDue && live && Date.now() >= this.reloadAt) this.reload();
  }

  // The device of the address when it appears, else the first one, so that the chart is never empty for nothing.
  private follow(): void {
    const { place } = this;
    if (place.page.peek() !== 'overview') return;
    const name = place.get('device');
    const site = place.get('site');
    let device = this.chosen.peek();
    const gone = !device || this.devices.byTopic.get(device.topic) !== device;
    const other = device && name !== undefined && (name !== device.deviceId || (site ?? device.siteId) !== device.siteId);
    if (gone || other) {
      device = name ? this.devices.find(name, site) : orderDevices(this.devices.byTopic.values(), this.query.peek())[0];
      if (device !== this.chosen.peek()) this.chosen.value = device;
    }
    const chart = this.chart.peek();
    if (device && (chart?.device !== device || chart.range !== place.range.peek())) this.openChart();
  }

  private openChart(field = this.place.get('field')): void {
    const device = this.chosen.peek();
    // What is drawn in its row; of a device without numbers, what else can be drawn.
    const shown = device && (device.leadField(field) ?? this.chartFields(device)[0]);
    if (!device || shown === undefined) {
      this.chart.value = undefined;
      return;
    }
    const source = new ChartSource(this.api, device, [shown], this.place.range.peek(), () => this.mark());
    this.chart.value = source;
    void source.load(this.serverNow());
  }

  // How an address names it; the site where there is another of the name.
  placeOf(device: Device): { device: string; site: string | undefined } {
    return { device: device.deviceId, site: this.siteIfNeeded(device) };
  }

  private siteIfNeeded(device: Device): string | undefined {
    for (const other of this.devices.byTopic.values()) {
      if (other.deviceId === device.deviceId && other.siteId !== device.siteId) return device.siteId;
    }
    return undefined;
  }
}
