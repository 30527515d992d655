// The events of the asked agent, newest first, with filters.

import { h } from './dom.js';
import { clock, day, iso, millis, number } from './format.js';

/** So many are kept, and shown at most. */
export const EVENTS_MAX = 500;
export const KINDS = [
  'election',
  'step',
  'mysqld',
  'config',
  'handover',
  'operator',
  'hook',
  'job',
  'trouble',
  'agent',
];

const rows = new WeakMap();

/**
 * Adds events to a list that is newest first, each once, and keeps it bounded. Whether an agent that has started anew goes on
 * counting or begins again, its events are told apart by number and time.
 */
export function add(list, events) {
  const there = new Set(list.map((event) => event.key));
  const fresh = events
    .map((event) => ({ ...event, key: `${event.seq}-${event.unix_ms}` }))
    .filter((event) => !there.has(event.key));
  if (fresh.length === 0) return;
  list.unshift(...fresh.reverse());
  // What comes in again after a break may be older than what is there. Times of one agent's clock, in the order of its events.
  list.sort((a, b) => b.unix_ms - a.unix_ms || b.seq - a.seq);
  list.length = Math.min(list.length, EVENTS_MAX);
}

/** Those that the filter lets through. */
export function filtered(list, { kind, node, text }) {
  const wanted = text.trim().toLowerCase();
  return list.filter((event) => {
    const fits = (kind === '' || event.kind === kind) && (node === '' || event.node === node);
    return fits && (wanted === '' || String(event.text).toLowerCase().includes(wanted));
  });
}

const FEED = {
  live: ['●', 'live', 'good'],
  polling: ['◐', 'asked every 2 s', 'good'],
  waiting: ['✕', 'not connected', 'bad'],
  paused: ['❚❚', 'held', 'warn'],
};

export function eventsSection(state, { onFilter, onHold }) {
  const { filter, held, feed, gap } = state;
  const list = held ?? state.events;
  const seen = filtered(list, filter);
  const nodes = [...new Set([...state.events.map((event) => event.node), filter.node].filter(Boolean))].sort();
  const [sign, word, level] = FEED[held ? 'paused' : feed] ?? FEED.waiting;
  const waiting = held ? state.events.findIndex((event) => event.key === held[0]?.key) : 0;
  return [
    h(
      'div',
      { class: 'section-head' },
      h('h2', { id: 'events-title' }, 'Events'),
      h('span', { class: `feed ${level}` }, h('span', { 'aria-hidden': 'true' }, `${sign} `), word),
      h(
        'button',
        { type: 'button', class: 'small', 'aria-pressed': held ? 'true' : 'false', on: { click: onHold } },
        held ? `Go on${waiting > 0 ? ` (${waiting} new)` : ''}` : 'Hold',
      ),
    ),
    h(
      'div',
      { class: 'filters', role: 'group', 'aria-label': 'Filter the events' },
      select('Kind', filter.kind, ['', ...KINDS], (kind) => onFilter({ kind })),
      select('Node', filter.node, ['', ...nodes], (node) => onFilter({ node })),
      h(
        'label',
        { class: 'grow' },
        h('span', null, 'Text'),
        h('input', {
          type: 'search',
          id: 'event-text',
          autocomplete: 'off',
          maxlength: 100,
          on: { input: (event) => onFilter({ text: event.target.value }) },
        }),
      ),
    ),
    gap && h('p', { class: 'aside' }, 'Some older events were dropped before this page saw them.'),
    seen.length === 0 &&
      h('p', { class: 'empty' }, list.length === 0 ? 'Nothing has happened yet.' : 'No event fits the filter.'),
    h(
      'div',
      {
        class: 'log',
        role: 'log',
        'aria-live': 'polite',
        'aria-relevant': 'additions',
        'aria-label': 'Events, newest first',
        tabindex: '0',
      },
      h('ol', { class: 'events' }, seen.map(row)),
    ),
    h('p', { class: 'aside' }, `${number(seen.length)} of ${number(list.length)} shown; the newest of this agent`),
  ];
}

function select(label, value, choices, onChange) {
  return h(
    'label',
    null,
    h('span', null, label),
    h(
      'select',
      { on: { change: (event) => onChange(event.target.value) } },
      choices.map((choice) =>
        h('option', { value: choice, key: `:${choice}`, selected: choice === value }, choice === '' ? 'all' : choice),
      ),
    ),
  );
}

/** One event; the same description for the same event, so that it is not compared again. */
function row(event) {
  let made = rows.get(event);
  if (!made) {
    made = eventRow(event, event.key);
    rows.set(event, made);
  }
  return made;
}

export function eventRow(event, key) {
  const since = Number.isFinite(event.since_start_ms) ? `+${millis(event.since_start_ms)}` : null;
  return h(
    'li',
    { key, class: `event ${KINDS.includes(event.kind) ? event.kind : ''}` },
    h(
      'div',
      { class: 'event-head' },
      h('time', { datetime: iso(event.unix_ms), title: day(event.unix_ms) }, clock(event.unix_ms)),
      h('span', { class: 'kind' }, event.kind),
      h('span', { class: 'where' }, event.node),
      since && h('span', { class: 'since' }, since),
    ),
    h('p', null, String(event.text)),
  );
}
