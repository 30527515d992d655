// Failovers and switchovers: the list, and one of them as a timeline.

import { h } from './dom.js';
import { eventRow } from './events.js';
import { clock, counted, day, iso, millis, number } from './format.js';
import { gtids } from './sheet.js';
import { count, parse } from './gtid.js';

const KINDS = { failover: 'Failover', switchover: 'Switchover', start: 'Start' };
const OUTCOMES = { promoted: 'promoted', given_up: 'given up' };
/** More are not listed here; xenoncli failover list shows them all. */
const LISTED = 50;

export function reportsSection(state, { onOpen }) {
  const reports = state.reports ?? [];
  return [
    h(
      'div',
      { class: 'section-head' },
      h('h2', { id: 'reports-title' }, 'Failovers and switchovers'),
      reports.length > LISTED && h('p', { class: 'aside' }, `the newest ${LISTED} of ${number(reports.length)}`),
    ),
    state.reports === null && !state.reportsProblem && h('p', { class: 'empty' }, 'Being asked for…'),
    state.reportsProblem &&
      h('p', { class: 'note warn' }, `The reports cannot be shown: ${state.reportsProblem.detail}`),
    state.reports !== null && reports.length === 0 && h('p', { class: 'empty' }, 'There was none yet.'),
    reports.length > 0 &&
      h(
        'div',
        { class: 'scroll', tabindex: '0', role: 'region', 'aria-labelledby': 'reports-title' },
        h(
          'table',
          { class: 'dense reports' },
          h(
            'thead',
            null,
            h(
              'tr',
              null,
              ['When', 'What', 'From', 'To', 'Took', 'Why'].map((name) =>
                h('th', { scope: 'col', key: name, class: name === 'Took' ? 'number' : null }, name),
              ),
            ),
          ),
          h(
            'tbody',
            null,
            reports.slice(0, LISTED).map((report) => listed(report, onOpen)),
          ),
        ),
      ),
  ];
}

function listed(report, onOpen) {
  return h(
    'tr',
    { key: report.id },
    h(
      'th',
      { scope: 'row' },
      h(
        'button',
        { type: 'button', class: 'linklike', 'aria-haspopup': 'dialog', on: { click: () => onOpen(report.id) } },
        h(
          'time',
          { datetime: iso(report.began_unix_ms) },
          `${day(report.began_unix_ms)} ${clock(report.began_unix_ms)}`,
        ),
      ),
    ),
    h('td', null, outcome(report)),
    h('td', null, report.old_primary ?? '–'),
    h('td', null, report.node),
    h('td', { class: 'number' }, millis(report.took_ms)),
    h(
      'td',
      { class: 'wide' },
      report.cause,
      report.by && !String(report.cause).includes(report.by) ? ` (asked for by ${report.by})` : '',
    ),
  );
}

function outcome(report) {
  const what = KINDS[report.kind] ?? report.kind;
  return report.outcome === 'promoted' ? what : `${what}, ${OUTCOMES[report.outcome] ?? report.outcome}`;
}

export function reportTitle(report) {
  const what = outcome(report);
  return report.old_primary && report.old_primary !== report.node
    ? `${what}: ${report.old_primary} → ${report.node}`
    : `${what}: ${report.node}`;
}

/** A whole report. */
export function reportBody(report) {
  return [
    h('p', { class: 'lead' }, report.cause),
    todo(report),
    h(
      'dl',
      { class: 'pairs' },
      pair(
        'When',
        h(
          'time',
          { datetime: iso(report.began_unix_ms) },
          `${day(report.began_unix_ms)} ${clock(report.began_unix_ms)}`,
        ),
      ),
      pair('Took', millis(report.took_ms)),
      Number.isFinite(report.outage_at_most_ms) &&
        pair('Clients were without a primary', `at most ${millis(report.outage_at_most_ms)}`),
      pair('Term', number(report.term)),
      pair('Old primary', report.old_primary ?? 'none'),
      pair(report.outcome === 'promoted' ? 'New primary' : 'Stood', report.node),
      pair('Asked for by', report.by ?? 'nobody: the agents decided'),
    ),
    lines('What became known later', report.aftermath),
    h('h3', null, 'Phases'),
    timeline(report.phases ?? [], report.took_ms),
    lines('What was seen', report.evidence),
    h('h3', null, 'Votes'),
    votes(report.votes ?? []),
    h('h3', null, 'Data'),
    h(
      'dl',
      { class: 'pairs' },
      pair('Rescued from the old primary', amount(report.rescued, 'nothing had to be')),
      report.rescue_failed && pair('Rescue failed', report.rescue_failed),
      pair('Kept aside in quarantine', amount(report.quarantined, 'nothing')),
    ),
    (report.events ?? []).length > 0 &&
      h(
        'details',
        null,
        h('summary', null, `The events of it (${number(report.events.length)})`),
        h(
          'ol',
          { class: 'events' },
          report.events.slice(0, 500).map((event, at) => eventRow(event, `${at}`)),
        ),
      ),
  ];
}

function todo(report) {
  const wanted = report.todo ?? [];
  if (wanted.length === 0) return h('p', { class: 'note ok' }, 'Nothing is left for you to do.');
  return h(
    'div',
    { class: 'note warn' },
    h('h3', null, 'What to do now'),
    h(
      'ul',
      null,
      wanted.map((text, at) => h('li', { key: `${at}` }, text)),
    ),
  );
}

function pair(name, ...value) {
  return h('div', { key: name }, h('dt', null, name), h('dd', null, ...value));
}

function lines(title, texts) {
  if (!texts?.length) return null;
  return [
    h('h3', null, title),
    h(
      'ul',
      { class: 'lines' },
      texts.map((text, at) => h('li', { key: `${at}` }, text)),
    ),
  ];
}

function amount(text, none) {
  const set = parse(text ?? '');
  if (!set || count(set) === 0n) return text && !set ? text : none;
  return [counted(count(set), 'transaction'), gtids(text)];
}

/** Bars over time. A table, so that it can be read aloud; the bars only repeat its numbers. */
export function timeline(phases, tookMs) {
  if (phases.length === 0) return h('p', { class: 'empty' }, 'No phases were noted.');
  const end = Math.max(tookMs || 0, ...phases.map((phase) => phase.at_ms), 0.001);
  return h(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Phases' },
    h(
      'table',
      { class: 'timeline' },
      h(
        'thead',
        null,
        h(
          'tr',
          null,
          h('th', { scope: 'col' }, 'Phase'),
          h('th', { scope: 'col', class: 'number' }, 'Took'),
          h('th', { scope: 'col', class: 'number' }, 'Done at'),
          h(
            'th',
            { scope: 'col', class: 'bars' },
            h('span', { class: 'axis' }, h('span', null, '0'), h('span', null, millis(end))),
          ),
        ),
      ),
      h(
        'tbody',
        null,
        phases.map((phase, at) => phaseRow(phase, at, end)),
      ),
    ),
  );
}

/** What the names of phases stand for, as far as a reader may wonder. */
const PHASES = {
  detected: 'the old primary was found to be gone',
  frozen: 'receiver stopped, position read',
  rescued: 'the old primary’s last transactions were fetched',
  elected: 'a majority has voted',
  'wait-applied': 'everything received was applied',
  'stop-replication': 'it follows nobody any more',
  'semi-sync-source-on': 'commits wait for acknowledgements',
  'allow-own-writes': 'the agent itself may write, clients may not yet',
  'ensure-account': 'the replication account was made right',
  'write-marker': 'the marker of the term was acknowledged',
  'set-variables': 'the primary’s variables were set',
  open: 'clients can write',
};

function phaseRow(phase, at, end) {
  const width = Math.max(0.6, (phase.took_ms / end) * 100);
  const x = Math.min(100 - width, Math.max(0, ((phase.at_ms - phase.took_ms) / end) * 100));
  return h(
    'tr',
    { key: `${at}` },
    h(
      'th',
      { scope: 'row' },
      phase.name,
      Object.hasOwn(PHASES, phase.name) && h('span', { class: 'gloss' }, PHASES[phase.name]),
    ),
    h('td', { class: 'number' }, millis(phase.took_ms)),
    h('td', { class: 'number' }, millis(phase.at_ms)),
    h(
      'td',
      { class: 'bars' },
      h(
        'svg',
        { viewBox: '0 0 100 10', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
        h('rect', { class: 'rail', x: 0, y: 4.5, width: 100, height: 1 }),
        h('rect', { class: 'bar', x: x.toFixed(3), y: 1, width: width.toFixed(3), height: 8 }),
      ),
    ),
  );
}

/** The phases of a node's last promotion, which are noted by their ends only. */
export function promotionPhases(promotion) {
  let before = 0;
  return promotion.phases.map(([name, at]) => {
    const phase = { name, at_ms: at, took_ms: Math.max(0, at - before) };
    before = at;
    return phase;
  });
}

function votes(list) {
  if (list.length === 0) return h('p', { class: 'empty' }, 'No votes were noted.');
  return h(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Votes' },
    h(
      'table',
      { class: 'dense' },
      h(
        'thead',
        null,
        h(
          'tr',
          null,
          h('th', { scope: 'col' }, 'Node'),
          h('th', { scope: 'col', class: 'number' }, 'Term'),
          h('th', { scope: 'col' }, 'Vote'),
          h('th', { scope: 'col' }, 'Had received'),
        ),
      ),
      h(
        'tbody',
        null,
        list.map((vote, at) => voteRow(vote, at)),
      ),
    ),
  );
}

function voteRow(vote, at) {
  return h(
    'tr',
    { key: `${at}` },
    h('th', { scope: 'row' }, vote.node),
    h('td', { class: 'number' }, number(vote.term)),
    h('td', { class: 'wide' }, vote.granted ? '✓ given' : `✕ refused: ${vote.why}`),
    h(
      'td',
      null,
      vote.received === null || vote.received === undefined ? 'not said' : amount(vote.received, 'nothing'),
    ),
  );
}
