// settings_text.ts: every word of the settings of this browser.

export const words = {
  here: 'They hold for this browser only.',
  sound: 'Sound for new alerts',
  soundHint: 'Once the page is loaded anew, browsers stay silent until you click on it or press a key.',
  desktop: 'Desktop notification for new alerts',
  desktopHint: 'Shown while this page is open in some tab. Many new alerts at once come as one.',
  desktopRefused: 'This browser refused. Allow notifications for this page in its own settings, then try again.',
  desktopMissing: 'Browsers show them only for pages over https, or of this machine.',
  manyAlerts: (count: number) => `${count} new alerts`,
  kiosk: 'Open the view for a wall screen',
  close: 'Close',
} as const;
