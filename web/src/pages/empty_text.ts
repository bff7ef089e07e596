// empty_text.ts: the words of an overview with nothing on it.

export const words = {
  title: 'Waiting for the first device',
  body: 'Nothing has been published yet. Run this, and the device appears here at once:',
  ways: 'Telegraf, Python, JavaScript, Arduino, MQTT, and a key for them:',
  more: 'every way to connect',
} as const;
