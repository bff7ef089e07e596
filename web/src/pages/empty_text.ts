// empty_text.ts: the words of an overview with nothing on it.

export const emptyText = {
  emptyTitle: 'Waiting for the first device',
  emptyBody: 'Nothing has been published yet. Run this, and the device appears here at once:',
  emptyWays: 'Telegraf, Python, JavaScript, Arduino, MQTT, and a key for them:',
  emptyMore: 'every way to connect',
} as const;
