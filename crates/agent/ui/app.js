// The page as a whole: who is asked for what, what is kept of it, and when it is shown.

import { Actions, cannotLead } from './actions.js';
import { ask, Problem, restoreLogin, setLogin, whenLoginRefused } from './api.js';
import { h, show } from './dom.js';
import { add, eventsSection } from './events.js';
import { span } from './format.js';
import { nextTheme, renderBanner, renderHead, theme } from './head.js';
import { EventFeed, Poller } from './live.js';
import { hideLogin, showLogin } from './login.js';
import { derive, isActive, isPaused } from './model.js';
import { nodesTable } from './nodes.js';
import { reportBody, reportsSection, reportTitle } from './reports.js';
import { said } from './outcome.js';
import { nodeBody, nodeTitle } from './sheet.js';
import { topology } from './topology.js';

/** The agents are asked so often, milliseconds. They ask each other for it, within a second. */
const ASK_EVERY_MS = 1_000;
const ASK_DEADLINE_MS = 4_000;
const EXPLAIN_EVERY_MS = 3_000;
const REPORTS_EVERY_MS = 30_000;
/** An answer older than this is no longer shown as what is so. */
const STALE_AFTER_MS = 5_000;
/** Notices on the page at once. */
const NOTICES_MAX = 5;

const at = (id) => document.getElementById(id);
const fresh = () => ({
  known: new Map(),
  link: { at: null, tookMs: 0, problem: null },
  role: null,
  asked: null,
  cluster: derive(new Map(), 0),
  events: [],
  held: null,
  feed: 'waiting',
  gap: false,
  filter: { kind: '', node: '', text: '' },
  reports: null,
  reportsProblem: null,
  report: null,
  explanations: new Map(),
  notices: [],
  told: { primary: undefined, words: undefined },
});
/** A tree stands upright then, as it does with many replicas. */
const narrow = matchMedia('(max-width: 760px)');
let state = fresh();
let loggedIn = false;
let drawing = false;

const status = new Poller('/api/v1/cluster', {
  everyMs: ASK_EVERY_MS,
  deadlineMs: ASK_DEADLINE_MS,
  onAnswer: (answer, { at: askedAt, tookMs, role }) => {
    if (!Array.isArray(answer?.nodes))
      throw new Problem({ title: 'Unexpected answer', detail: 'the agent’s answer has no nodes' });
    if (role) state.role = role;
    state.link = { at: askedAt, tookMs, problem: null };
    take(answer.nodes, askedAt);
    draw();
  },
  onProblem: (problem) => {
    state.link.problem = problem;
    draw();
  },
});

const reports = new Poller('/api/v1/reports?all=true', {
  everyMs: REPORTS_EVERY_MS,
  deadlineMs: ASK_DEADLINE_MS,
  onAnswer: (answer) => {
    Object.assign(state, { reports: Array.isArray(answer?.reports) ? answer.reports : [], reportsProblem: null });
    draw();
  },
  onProblem: (problem) => {
    state.reportsProblem = problem;
    draw();
  },
});

const explain = new Poller('/api/v1/explain', {
  everyMs: EXPLAIN_EVERY_MS,
  deadlineMs: ASK_DEADLINE_MS,
  onAnswer: (answer) => {
    state.explanations = new Map(
      (answer?.nodes ?? []).map((node) => [node.node, { ...node, next: answer.next, cluster: answer.cluster }]),
    );
    draw();
  },
  onProblem: () => {
    // Older words about who may lead would be wrong ones.
    state.explanations = new Map();
    draw();
  },
});

const feed = new EventFeed({
  onEvents: (events, { gap }) => {
    add(state.events, events);
    state.gap ||= gap;
    // Reports are written when a story ends; asked for a little later, for the end may still be under way.
    if (events.some((event) => event.kind === 'election' || event.kind === 'handover')) soon();
    draw();
  },
  onState: (word) => {
    state.feed = word;
    draw();
  },
});

const actions = new Actions(at('action'), {
  cluster: () => state.cluster,
  current: isCurrent,
  onChanged: () => {
    status.kick();
    soon();
  },
  onNotice: notice,
  onReadOnly: () => {
    state.role = 'read';
    draw();
  },
});

/** Whatever the browser counts on, it is not the clock on the wall. */
function ageMs() {
  return state.link.at === null ? null : performance.now() - state.link.at;
}

function isCurrent() {
  const age = ageMs();
  return age !== null && age < STALE_AFTER_MS;
}

function take(nodes, askedAt) {
  const known = new Map();
  for (const node of nodes) {
    if (typeof node?.id !== 'string') continue;
    const before = state.known.get(node.id);
    if (node.status) known.set(node.id, { status: node.status, at: askedAt, error: '' });
    else
      known.set(node.id, {
        status: before?.status ?? null,
        at: before?.at ?? null,
        error: String(node.error ?? 'no answer'),
      });
  }
  state.known = known;
}

let soonTimers = [];
function soon() {
  for (const timer of soonTimers) clearTimeout(timer);
  soonTimers = [800, 4_000].map((ms) => setTimeout(() => reports.kick(), ms));
}

function notice(level, text) {
  state.notices = [...state.notices, { level, text, key: `${performance.now()}` }].slice(-NOTICES_MAX);
  announce(text);
  draw();
}

function announce(text) {
  at('announcer').textContent = text;
}

// ------------------------------------------------------------------------------------------------------------ drawing

/** Once a frame at most, however much comes in. */
function draw() {
  if (drawing) return;
  drawing = true;
  // A page in the background gets no frames.
  if (document.hidden) setTimeout(render, 1_000);
  else requestAnimationFrame(render);
}

function render() {
  drawing = false;
  renderControls();
  if (!loggedIn) return;
  const current = isCurrent();
  state.cluster = derive(state.known, performance.now(), current || state.link.at === null);
  const { cluster } = state;
  document.body.classList.toggle('stale', !current);
  const age = ageMs();
  renderHead(state, { age, current });
  renderBanner(state, { age, current, status, draw });
  if (state.link.at === null) {
    show(
      at('topology'),
      h('h2', { id: 'topology-title' }, 'Topology'),
      h('p', { class: 'empty' }, state.link.problem ? said(state.link.problem) : 'Asking the agent…'),
    );
  } else {
    show(
      at('topology'),
      topology(cluster, { actions: clusterButtons(cluster), onOpen: openNode, narrow: narrow.matches }),
    );
    show(at('nodes'), nodesTable(cluster, { onOpen: openNode }));
  }
  // A stream of an agent that hangs stays open, and is silent.
  show(
    at('events'),
    eventsSection(current ? state : { ...state, feed: 'waiting' }, {
      onFilter: (change) => {
        Object.assign(state.filter, change);
        draw();
      },
      onHold: hold,
    }),
  );
  show(at('reports'), reportsSection(state, { onOpen: openReport }));
  renderSheet();
  actions.render();
  tell(cluster);
}

function mayOperate() {
  return state.role !== 'read';
}

function clusterButtons(cluster) {
  if (!mayOperate()) return [h('span', { class: 'aside', key: 'role' }, 'read-only login')];
  const off = !isCurrent() || cluster.id === null;
  const button = (key, label, run, disabled = off) =>
    h('button', { type: 'button', key, disabled, 'aria-haspopup': 'dialog', on: { click: run } }, label);
  return [
    button('switchover', 'Switch over…', () => actions.switchover(), off || !cluster.primary || isPaused(cluster)),
    isPaused(cluster)
      ? button('resume', 'Resume…', () => actions.resume())
      : button('pause', 'Pause…', () => actions.pause()),
  ];
}

function nodeButtons(node) {
  if (!mayOperate() || !node.answers || node.role === 'witness') return [];
  const off = !isCurrent();
  const button = (key, label, run, disabled = off) =>
    h('button', { type: 'button', key, disabled, 'aria-haspopup': 'dialog', on: { click: run } }, label);
  const job = node.status.job;
  return [
    node.role === 'replica' &&
      button(
        'switchover',
        'Make it the primary…',
        () => actions.switchover(node.id),
        off || isPaused(state.cluster) || cannotLead(node) !== null,
      ),
    job?.kind === 'rebuild' && isActive(job)
      ? button('cancel', 'Give its rebuild up…', () => actions.cancelRebuild(node.id))
      : node.role !== 'primary' && button('rebuild', 'Rebuild…', () => actions.rebuild(node.id)),
  ];
}

function hold() {
  state.held = state.held ? null : state.events.slice();
  draw();
}

/** Only what has changed is said aloud, once. */
function tell(cluster) {
  const primary = cluster.primary?.id ?? null;
  const words = cluster.states.map((one) => one.word).join(', ');
  const { told } = state;
  const parts = [];
  if (state.link.at !== null && isCurrent() && told.primary !== undefined && told.primary !== primary)
    parts.push(primary ? `${primary} is the primary now.` : 'There is no primary.');
  if (state.link.at !== null && told.words !== undefined && told.words !== words)
    parts.push(`The cluster: ${words.toLowerCase()}.`);
  if (parts.length > 0) announce(parts.join(' '));
  if (state.link.at === null) return;
  if (isCurrent()) told.primary = primary;
  told.words = words;
}

// -------------------------------------------------------------------------------------------------------- the sheet

const sheet = at('sheet');
sheet.addEventListener('close', () => {
  if (location.hash.startsWith('#/')) history.replaceState(null, '', location.pathname + location.search);
  explain.stop();
  state.report = null;
  show(sheet);
});
// A click beside it closes it, as Escape does.
sheet.addEventListener('click', (event) => {
  if (event.target === sheet) sheet.close();
});

function openNode(id) {
  location.hash = `#/node/${encodeURIComponent(id)}`;
}

function openReport(id) {
  location.hash = `#/report/${encodeURIComponent(id)}`;
}

/** What the address asks for. */
function wanted() {
  const found = /^#\/(node|report)\/(.+)$/.exec(location.hash);
  if (!found) return null;
  try {
    return { what: found[1], id: decodeURIComponent(found[2]) };
  } catch {
    return null;
  }
}

function followAddress() {
  if (!loggedIn) return;
  const want = wanted();
  if (!want) {
    if (sheet.open) sheet.close();
    return;
  }
  state.report = null;
  explain.stop();
  if (want.what === 'node') explain.start();
  else fetchReport(want.id);
  renderSheet();
  if (!sheet.open) sheet.showModal();
  sheet.scrollTop = 0;
  at('sheet-title')?.focus();
}

async function fetchReport(id) {
  const loading = { id, report: null, problem: null };
  state.report = loading;
  try {
    loading.report = (await ask(`/api/v1/reports/${encodeURIComponent(id)}`, { deadlineMs: 10_000 })).value;
  } catch (error) {
    loading.problem = error;
  }
  if (state.report === loading) draw();
}

function renderSheet() {
  const want = wanted();
  if (!want) return;
  const head = (title) =>
    h(
      'div',
      { class: 'sheet-head' },
      h('h2', { id: 'sheet-title', tabindex: '-1' }, title),
      h('button', { type: 'button', class: 'small', on: { click: () => sheet.close() } }, 'Close'),
    );
  const old =
    !isCurrent() &&
    want.what === 'node' &&
    h('p', { class: 'note bad' }, `Not current: the last answer came ${span((ageMs() ?? 0) / 1000)} ago.`);
  if (want.what === 'node') {
    const node = state.cluster.nodes.find((one) => one.id === want.id);
    show(
      sheet,
      head(node ? nodeTitle(node) : want.id),
      h(
        'div',
        { key: `node-${want.id}`, class: 'sheet-body' },
        old,
        node
          ? nodeBody(node, state.cluster, state.explanations.get(want.id), nodeButtons(node))
          : h(
              'p',
              { class: 'empty' },
              state.link.at === null ? 'Asking the agent…' : 'No member of the cluster has this name.',
            ),
      ),
    );
    return;
  }
  const { report, problem } = state.report ?? {};
  const body = report
    ? reportBody(report)
    : problem
      ? h('p', { class: 'note bad' }, said(problem))
      : h('p', { class: 'empty' }, 'Being asked for…');
  show(
    sheet,
    head(report ? reportTitle(report) : 'Report'),
    h('div', { key: `report-${want.id}`, class: 'sheet-body' }, body),
  );
}

window.addEventListener('hashchange', followAddress);

// ---------------------------------------------------------------------------------------------- theme, login, begin

function changeTheme() {
  nextTheme();
  draw();
}

function renderControls() {
  show(
    at('controls'),
    h('button', { type: 'button', class: 'small', key: 'theme', on: { click: changeTheme } }, `Theme: ${theme()}`),
    loggedIn &&
      h('button', { type: 'button', class: 'small', key: 'logout', on: { click: () => logOut(null) } }, 'Log out'),
  );
}

/** Nothing of the cluster stays on the page. */
function logOut(why) {
  setLogin(null, false);
  loggedIn = false;
  for (const one of [status, reports, explain, feed]) one.stop();
  for (const timer of soonTimers) clearTimeout(timer);
  at('action').close();
  sheet.close();
  state = fresh();
  at('page').hidden = true;
  for (const id of ['topology', 'nodes', 'events', 'reports', 'banner', 'states', 'link', 'cluster']) show(at(id));
  document.body.classList.remove('stale');
  document.title = 'Xenon';
  renderControls();
  showLogin(at('login'), { onDone: begin, why });
}

async function begin() {
  loggedIn = true;
  hideLogin(at('login'));
  at('page').hidden = false;
  state = fresh();
  feed.after = 0;
  feed.agent = null;
  status.start();
  reports.start();
  feed.start();
  draw();
  at('content').focus({ preventScroll: true });
  followAddress();
  await whoAmI();
}

/** An agent that does not tell is found out by its first refusal. */
async function whoAmI() {
  try {
    const { value } = await ask('/api/v1/session');
    if (value?.role === 'read' || value?.role === 'operate') state.role = value.role;
    if (typeof value?.node === 'string') state.asked = value.node;
    draw();
  } catch {
    // Not told.
  }
}

whenLoginRefused(() => {
  if (loggedIn) logOut('The agent does not accept this login any more. Log in again.');
});
// Ages grow while nothing comes in.
setInterval(() => {
  if (loggedIn && !document.hidden) draw();
}, 500);
document.addEventListener('visibilitychange', () => {
  if (loggedIn && !document.hidden) {
    status.kick();
    draw();
  }
});

if (restoreLogin()) begin();
else logOut(null);
