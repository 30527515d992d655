// GTID sets as the servers print them: count, subtract, show. Numbers are BigInt, for they may go up to 2^63.

/** Longer texts are not taken apart: a page must stay quick whatever a server says. Characters. */
const LONGEST = 2_000_000;

/**
 * Parses `uuid:1-3:5:tag:1,uuid:…` into a Map from source (`uuid` or `uuid:tag`) to sorted, joined intervals [from, to].
 * Null for what is no such set.
 */
export function parse(text) {
  if (typeof text !== 'string' || text.length > LONGEST) return null;
  const set = new Map();
  for (const part of text.split(',')) {
    const fields = part
      .trim()
      .split(':')
      .map((field) => field.trim().toLowerCase());
    const uuid = fields.shift();
    if (uuid === '' && fields.length === 0) continue;
    if (!/^[0-9a-f-]{1,36}$/.test(uuid) || fields.length === 0) return null;
    let source = uuid;
    for (const field of fields) {
      const numbers = /^(\d{1,19})(?:-(\d{1,19}))?$/.exec(field);
      if (numbers) {
        const from = BigInt(numbers[1]);
        add(set, source, [from, numbers[2] === undefined ? from : BigInt(numbers[2])]);
      } else if (/^[a-z_][a-z0-9_]{0,31}$/.test(field)) {
        source = `${uuid}:${field}`;
      } else {
        return null;
      }
    }
  }
  for (const [source, intervals] of set) set.set(source, joined(intervals));
  return set;
}

function add(set, source, interval) {
  if (interval[1] < interval[0]) return;
  const there = set.get(source);
  if (there) there.push(interval);
  else set.set(source, [interval]);
}

function joined(intervals) {
  const sorted = intervals.slice().sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
  const out = [];
  for (const [from, to] of sorted) {
    const last = out[out.length - 1];
    if (last && from <= last[1] + 1n) {
      if (to > last[1]) last[1] = to;
    } else {
      out.push([from, to]);
    }
  }
  return out;
}

/** How many transactions. */
export function count(set) {
  let sum = 0n;
  for (const intervals of set.values()) for (const [from, to] of intervals) sum += to - from + 1n;
  return sum;
}

/** What is in `a` and not in `b`. */
export function subtract(a, b) {
  const out = new Map();
  for (const [source, intervals] of a) {
    const rest = subtractIntervals(intervals, b.get(source) ?? []);
    if (rest.length > 0) out.set(source, rest);
  }
  return out;
}

function subtractIntervals(intervals, without) {
  const out = [];
  let next = 0;
  for (const [from, to] of intervals) {
    let start = from;
    while (next < without.length && without[next][1] < start) next += 1;
    let at = next;
    while (at < without.length && without[at][0] <= to) {
      if (without[at][0] > start) out.push([start, without[at][0] - 1n]);
      if (without[at][1] >= start) start = without[at][1] + 1n;
      at += 1;
    }
    if (start <= to) out.push([start, to]);
  }
  return out;
}

/** One entry a source: its name and its intervals as text, as in `1-3:5`. */
export function sources(set) {
  return [...set].map(([source, intervals]) => ({
    source,
    intervals: intervals.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(':'),
    count: count(new Map([[source, intervals]])),
  }));
}
