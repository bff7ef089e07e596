// status_text.ts: every word of the status page.

import { text } from '../text.ts';

const times = (count: number, one: string, many: string) => (count === 1 ? `1 ${one}` : `${count} ${many}`);

export const words = {
  title: 'Status',
  version: 'Version', up: 'Running for', since: 'Started', events: 'Oldest event kept', account: 'Account',
  noEvents: 'none yet',
  unreadable: 'The metrics of the server cannot be read from this page. A proxy may keep /metrics to itself.',
  lastMinutes: (span: string) => (span === '' ? 'since the server started' : `last ${span}`),

  condition: 'Condition',
  ok: 'OK',
  well: 'Everything works as it should.',
  storage: {
    full: 'The disk is full: nothing new is stored until there is room. Reading and streams go on.',
    failing: 'The last write to the disk failed. Writing is tried again; the log of the server says why.',
    read_only: 'Writing to the disk failed and has stopped until the server is restarted. The log of the server says why.',
  } as Record<string, string>,
  notReady: (detail: string) => `The server takes no new work: ${detail}`,
  damaged: (files: number, rows: number) => `Damage was found in what is stored: ${times(files, 'file', 'files')}, ${times(rows, 'row', 'rows')}. \`millstream check-data\` says where.`,
  unsealable: (hours: number) => `${times(hours, 'hour', 'hours')} of the past could not be packed, because of a damaged block.`,
  unsynced: 'Writes are acknowledged before they are on the disk (storage.sync_commits is off): a power cut may take the last seconds.',
  slow: (count: number) => `${times(count, 'viewer does', 'viewers do')} not keep up; telemetry comes to them merged.`,
  overflows: (count: number) => `The rules and presence fell behind ${times(count, 'time', 'times')} in these minutes and caught up from the disk.`,
  differences: (count: number) => `${times(count, 'conclusion', 'conclusions')} came out differently when the log was read again.`,
  shed: (count: number) => `Rules passed over ${times(count, 'event', 'events')}: alerts.rule_evaluations_per_second_max is reached.`,
  refusedDevices: (count: number) => `${times(count, 'time', 'times')} a device could not be watched by a rule: alerts.rule_instances_per_account_max is reached.`,
  failedNotifications: (count: number) => `${times(count, 'notification', 'notifications')} of those listed below could not be delivered.`,
  development: 'Development mode: whoever reaches this server is its admin.',
  insecureCookies: 'Session cookies travel without HTTPS.',
  selfSigned: 'HTTPS is with a certificate made by the server itself.',

  flow: 'Flow',
  rates: {
    points: 'Points in', events: 'Events stored', deliveries: 'Deliveries to viewers', bytes: 'Bytes to viewers', requests: 'Requests', viewers: 'Viewers',
  },
  measuring: 'measuring…',
  perSecond: (value: string) => `${value}/s`,
  sparkLabel: (name: string, now: string, highest: string) => `${name}: now ${now}, highest ${highest}`,
  highest: (value: string) => `max ${value}`,

  latency: 'Latency',
  latencies: {
    millstream_log_commit_seconds: ['Published to durable', 'one commit to the disk'],
    millstream_stream_publish_to_socket_seconds: ['Durable to delivered', 'from the commit to the last byte sent'],
    millstream_stream_queue_age_seconds: ['Waiting for a viewer', 'how long a viewer had something waiting'],
    millstream_engine_step_seconds: ['Rules and presence', 'to work through one commit'],
  } as Record<string, [string, string]>,
  p50: 'p50', p99: 'p99', measured: 'measured',
  noTimes: 'Nothing to measure in this time.',
  histogramLabel: (name: string, p50: string, p99: string, count: string) => `${name}: half within ${p50}, 99 of 100 within ${p99}, ${count} measured`,

  connections: 'Connections',
  connectionRows: {
    viewers: 'Viewers, whole server', streams: 'Viewers of this account', http: 'HTTP connections', http2: 'of them HTTP/2', behind: 'Catching up',
    slow: 'Too slow', groups: 'Groups with the same bytes', queued: 'Waiting in queues', oldest: 'Oldest in a queue', replays: 'Replays of the past',
  },
  closed: 'Streams ended since the start',
  closedWhy: { client: 'by the viewer', slow: 'too slow', expired: 'credential ended', drained: 'server left', failed: 'failed' } as Record<string, string>,
  accountOnly: (roles: string) => `Viewers of the account and its topics are told to operators and admins of the whole account. You have ${roles}.`,
  fanOut: 'Most followed topics',
  fanOutNone: 'Nobody follows a topic now.',
  topic: 'Topic', streams: 'Viewers',

  drops: 'Refused and left out',
  dropsSince: 'since the server started',
  dropsNone: 'Nothing.',
  dropRows: {
    millstream_stream_events_conflated_total: 'Telemetry merged for viewers', millstream_stream_fell_behind_total: 'Viewers that fell behind',
    millstream_stream_gaps_total: 'Gaps declared to viewers', millstream_log_repeated_batches_total: 'Batches sent twice, stored once',
    millstream_log_commit_failures_total: 'Commits that failed', millstream_http_evicted_connections_total: 'Connections closed to make room',
    millstream_http_accept_errors_total: 'Connections not accepted', millstream_alerts_dropped: 'Ended alerts left out early',
    millstream_rule_events_shed: 'Events that rules passed over',
    'millstream_http_requests_total{status="4xx"}': 'Requests refused (4xx)', 'millstream_http_requests_total{status="5xx"}': 'Requests failed (5xx)',
  } as Record<string, string>,
  rejected: {
    malformed: 'Points malformed', name: 'Points with a bad name', device_missing: 'Points without a device', future: 'Points from the future',
    too_old: 'Points too old', forbidden: 'Points not allowed', device_limit: 'Points of too many devices', too_large: 'Points too large',
  } as Record<string, string>,

  storageTitle: 'Storage',
  storageRows: {
    state: 'Disk', bytes: 'Size on disk', free: 'Free on the disk', kept: 'Events are kept for', sealedBytes: 'Packed telemetry', sealed: 'Packed events', unsealed: 'Not packed yet', queue: 'Waiting for the disk',
    hours: 'Hours removed by age', once: 'Idempotency keys kept', damaged: 'Damaged files', devices: 'Devices',
  },
  storageStates: { ok: 'writes succeed', full: 'full', failing: 'failing', read_only: 'read only' } as Record<string, string>,

  engines: 'Rules and presence',
  engineRows: {
    inbox: 'Events waiting', stepped: 'Events worked through', conclusions: 'Conclusions drawn', overflows: 'Times fallen behind',
    retries: 'Retries of the log', readers: 'Reads of the past waiting', series: 'Charts waiting', backtests: 'Back-tests waiting', workers: 'Other work waiting',
  },

  notifications: 'Notifications',
  notificationsNone: 'No notification has been sent.',
  notificationsWho: 'The log of notifications is for operators and admins of the whole account.',
  channelsNone: 'No channel is set up. Channels are in the configuration: [[channels]].',
  onlyFailed: 'Failures only',
  noneFailed: 'No failures among the newest.',
  deliveries: {
    pending: 'Waiting', retrying: 'Tried again', sent: 'Sent', failed: 'Failed', gave_up: 'Given up', dropped: 'Dropped',
  } as Record<string, string>,
  channel: 'Channel', state: 'State', alerts: 'Alerts', when: 'When', why: 'Why',
  attempts: (count: number) => times(count, 'try', 'tries'),
  counted: (firing: number, resolved: number) => [firing > 0 && `${firing} open`, resolved > 0 && `${resolved} ended`].filter(Boolean).join(', ') || text.none,
  test: 'test',
  noRoles: 'no role',
} as const;
