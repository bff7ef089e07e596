// amounts.ts: counts, bytes and short times as people read them.

const short = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });
const whole = new Intl.NumberFormat('en');
const bytes = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function formatCount(value: number): string { return Number.isInteger(value) && value < 1e6 ? whole.format(value) : short.format(value); }

// A rate: whole above 10, with a digit below.
export function formatRate(value: number): string {
  return value >= 1e4 ? short.format(value) : whole.format(value >= 10 ? Math.round(value) : Math.round(value * 10) / 10);
}

export function formatBytes(value: number): string {
  const power = Math.min(bytes.length - 1, value < 1 ? 0 : Math.floor(Math.log2(value) / 10));
  const scaled = value / 1024 ** power;
  return `${scaled < 10 && power > 0 ? scaled.toFixed(1) : Math.round(scaled)} ${bytes[power]}`;
}

export function formatSeconds(value: number): string {
  const [scaled, unit] = value < 1e-3 ? [value * 1e6, 'µs'] : value < 1 ? [value * 1e3, 'ms'] : [value, 's'];
  return `${scaled < 10 ? Number(scaled.toFixed(1)) : Math.round(scaled)} ${unit}`;
}
