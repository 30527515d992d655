// How numbers, times and sizes are written.

const NUMBERS = new Intl.NumberFormat('en-US');

/** 12,345; takes BigInt, too. */
export function number(value) {
  return value === null || value === undefined ? '–' : NUMBERS.format(value);
}

/** `1 transaction`, `2 transactions`. */
export function counted(value, one, many = `${one}s`) {
  return `${number(value)} ${BigInt(value) === 1n ? one : many}`;
}

/** 1.5 GiB. */
export function bytes(value) {
  if (!Number.isFinite(value)) return '–';
  let rest = value;
  for (const unit of ['B', 'KiB', 'MiB', 'GiB', 'TiB']) {
    if (rest < 1024 || unit === 'TiB') {
      const digits = unit === 'B' || rest >= 100 ? 0 : 1;
      return `${rest.toFixed(digits)} ${unit}`;
    }
    rest /= 1024;
  }
  return '–';
}

/** A span in words that get coarser with it: 12 s, 3 min 5 s, 2 h 10 min, 3 d 4 h. */
export function span(seconds) {
  if (!Number.isFinite(seconds)) return '–';
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

/** Milliseconds as a report shows them: 0.4 ms, 46.2 ms, 1,204 ms, 12.1 s. */
export function millis(value) {
  if (!Number.isFinite(value)) return '–';
  if (value >= 10_000) return `${(value / 1000).toFixed(1)} s`;
  return `${value >= 1000 ? number(Math.round(value)) : value.toFixed(1)} ms`;
}

/** How far a replica is behind, given in seconds: 0 s, 12 ms, 2.5 s, 42 s, 3 min 5 s. */
export function lag(seconds) {
  if (!Number.isFinite(seconds)) return '–';
  if (seconds > 0 && seconds < 1) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  return seconds < 10 && seconds % 1 !== 0 ? `${seconds.toFixed(1)} s` : span(seconds);
}

/** The time of day with milliseconds, in the browser's time zone. */
export function clock(unixMs) {
  const date = new Date(unixMs);
  if (Number.isNaN(date.getTime())) return '–';
  const two = (value) => String(value).padStart(2, '0');
  const ms = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
}

/** 2026-11-28 */
export function day(unixMs) {
  const date = new Date(unixMs);
  if (Number.isNaN(date.getTime())) return '–';
  const two = (value) => String(value).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** For the attribute `datetime`. */
export function iso(unixMs) {
  const date = new Date(unixMs);
  return Number.isNaN(date.getTime()) ? '' : date.toISOString();
}

/** At most so many characters, with a sign that there was more. */
export function cut(text, characters) {
  const whole = String(text ?? '');
  return whole.length > characters ? `${whole.slice(0, characters - 1)}…` : whole;
}
