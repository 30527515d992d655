// The cluster as a tree: the primary on top, below it who follows it, and beside it who follows nobody.

import { h } from './dom.js';
import { bytes, lag, number, span } from './format.js';
import { isActive, ROLES, trees } from './model.js';

/** More replicas than these do not fit beside each other. */
const BESIDE = 4;

/** The section's content. `actions` are buttons for it, `onOpen(id)` opens a node, `narrow` says that the page is. */
export function topology(cluster, { actions, onOpen, narrow }) {
  const [first, ...others] = trees(cluster);
  const upright = narrow || widest(first) > BESIDE;
  const isTree = first && (first.node === cluster.primary || first.below.length > 0);
  const alone = isTree ? others : [first, ...others].filter(Boolean);
  return [
    h(
      'div',
      { class: 'section-head' },
      h('h2', { id: 'topology-title' }, 'Topology'),
      h('div', { class: 'buttons' }, actions),
    ),
    isTree &&
      h(
        'ul',
        { class: upright ? 'tree upright' : 'tree', 'aria-label': 'Who replicates from whom' },
        branch(first, cluster, onOpen),
      ),
    alone.length > 0 && h('h3', { class: 'aside-title' }, titleOf(alone, isTree)),
    alone.length > 0 &&
      h(
        'ul',
        { class: narrow ? 'tree alone upright' : 'tree alone' },
        alone.map((tree) => branch(tree, cluster, onOpen)),
      ),
  ];
}

function widest(tree) {
  return tree ? Math.max(tree.below.length, ...tree.below.map(widest)) : 0;
}

function titleOf(alone, isTree) {
  if (!isTree) return 'Nodes';
  return alone.every(({ node }) => node.role === 'witness') ? 'Beside it' : 'Not replicating';
}

function branch({ node, below }, cluster, onOpen, source = null) {
  return h(
    'li',
    { key: node.id, class: `stem ${source ? 'below' : 'root'}` },
    source && wire(node),
    card(node, cluster, source, onOpen),
    below.length > 0 &&
      h(
        'ul',
        { class: 'branch' },
        below.map((tree) => branch(tree, cluster, onOpen, node)),
      ),
  );
}

/** The line from a replica to its source. The label says in words what its colour says. */
function wire(node) {
  const { state, words } = wireState(node);
  return h(
    'div',
    { class: `wire ${state}` },
    h(
      'span',
      { class: 'wire-label' },
      h('span', { 'aria-hidden': 'true' }, state === 'broken' ? '✕ ' : '▲ '),
      node.current ? words : `was: ${words}`,
    ),
  );
}

function wireState(node) {
  const replication = node.replication;
  if (!replication.io_running && !replication.sql_running) return { state: 'broken', words: 'replication stopped' };
  if (!replication.io_running) return { state: 'broken', words: 'receiver stopped' };
  if (!replication.sql_running) return { state: 'broken', words: 'applier stopped' };
  const words = node.lagS === null ? 'lag unknown' : `lag ${lag(node.lagS)}`;
  return { state: node.lagS !== null && node.lagS >= 10 ? 'slow' : 'good', words };
}

const MARKS = {
  ok: ['●', 'healthy'],
  warn: ['▲', 'needs attention'],
  bad: ['■', 'in trouble'],
  off: ['✕', 'not known'],
};

/** Sign and word for a level. */
export function mark(level) {
  const [sign, word] = MARKS[level];
  return h(
    'span',
    { class: `mark ${level}` },
    h('span', { 'aria-hidden': 'true' }, sign),
    h('span', { class: 'unseen' }, word),
  );
}

function card(node, cluster, source, onOpen) {
  const { status } = node;
  return h(
    'article',
    { class: `card ${node.level} ${node.role}`, 'data-node': node.id, 'aria-label': `${node.id}, ${roleWord(node)}` },
    h(
      'div',
      { class: 'card-head' },
      mark(node.level),
      h('span', { class: `role ${node.current ? node.role : 'unknown'}` }, roleWord(node)),
      h('span', { class: 'state' }, stateWord(node)),
    ),
    h(
      'button',
      { type: 'button', class: 'name', on: { click: () => onOpen(node.id) }, 'aria-haspopup': 'dialog' },
      node.id,
    ),
    source && h('p', { class: 'unseen' }, `follows ${source.id}`),
    status && h('dl', { class: 'facts' }, facts(node, cluster)),
    status?.job && isActive(status.job) && jobBar(status.job),
    h(
      'ul',
      { class: 'findings' },
      node.findings.slice(0, 3).map((finding, at) => h('li', { key: `${at}`, class: finding.level }, finding.text)),
    ),
    node.findings.length > 3 && h('p', { class: 'more' }, `and ${node.findings.length - 3} more`),
    !node.answers &&
      status &&
      h('p', { class: 'old' }, `last known, ${node.ageMs === null ? 'some time' : span(node.ageMs / 1000)} ago`),
  );
}

/** A node that does not answer is shown as what it was, and said to have been it. */
export function roleWord(node) {
  if (node.current) return ROLES[node.role];
  if (node.answers) return `was ${ROLES[node.role]}`;
  return node.status ? `NO ANSWER (was ${ROLES[node.role]})` : 'NO ANSWER';
}

function stateWord(node) {
  if (!node.answers) return null;
  const { state } = node.status;
  const said = {
    primary: 'LEADER',
    replica: 'FOLLOWER',
    idle: 'IDLE',
    learner: 'LEARNER',
    leader: 'LEADER',
    witness: 'FOLLOWER',
  }[node.role];
  return state === said ? null : state;
}

function facts(node, cluster) {
  const { mysql } = node.status;
  const out = [];
  const say = (name, ...value) => out.push(h('div', { key: name }, h('dt', null, name), h('dd', null, ...value)));
  if (node.role === 'witness') {
    say('Server', 'none: it votes only');
    return out;
  }
  say(
    'Server',
    mysql.version || '–',
    node.status.mysqld.running ? '' : ' · stopped',
    mysql.alive ? (mysql.writable ? ' · read-write' : ' · read-only') : ' · not serving',
  );
  say(mysql.alive ? 'Position' : 'Last seen', node.transactions === null ? '–' : `${number(node.transactions)} trx`);
  if (node.behind) say('Behind', behindWords(node.behind));
  const here = (node.status.service_address ?? []).filter((one) => one.state === 'here').map((one) => one.address);
  if (here.length > 0) say('Address', here.join(', '));
  const semiSync = semiSyncWords(node, cluster);
  if (semiSync) say('Semi-sync', semiSync);
  return out;
}

/** In words: `0`, or how many are to be fetched and applied. */
export function behindWords(behind) {
  if (behind.total === 0n && behind.apply === 0n) return '0 trx';
  const parts = [];
  if (behind.fetch > 0n) parts.push(`${number(behind.fetch)} to fetch`);
  if (behind.apply > 0n) parts.push(`${number(behind.apply)} to apply`);
  return parts.length > 0 ? parts.join(', ') : `${number(behind.total)} trx`;
}

/** What semi-sync does on a node, or nothing where it has no part in it. */
export function semiSyncWords(node) {
  const { mysql } = node.status;
  if (node.role === 'primary' || node.role === 'leader') {
    if (!mysql.semi_sync_source) return 'not there';
    const [on, wanted, clients] = mysql.semi_sync_source;
    return on ? `waits for ${number(wanted)} of ${number(clients)}` : 'off: waits for nobody';
  }
  if (mysql.semi_sync_replica === null || mysql.semi_sync_replica === undefined) return null;
  return mysql.semi_sync_replica ? 'acknowledges' : 'does not acknowledge';
}

/** A job's progress, in words and as a bar. */
export function jobBar(job) {
  const parts = [`${job.kind}: ${job.phase}`];
  if (job.state === 'waiting')
    parts.push(
      job.again_in_s === null || job.again_in_s === undefined ? 'waits' : `tries again in ${span(job.again_in_s)}`,
    );
  if (job.bytes_total > 0) parts.push(`${bytes(job.bytes_done)} of ${bytes(job.bytes_total)}`);
  if (job.bytes_per_s > 0) parts.push(`${bytes(job.bytes_per_s)}/s`);
  if (job.eta_s !== null && job.eta_s !== undefined) parts.push(`${span(job.eta_s)} left`);
  const percent = Math.max(0, Math.min(100, Number(job.percent) || 0));
  return h(
    'div',
    { class: 'job' },
    h('p', null, parts.join(' · ')),
    h(
      'div',
      { class: 'job-line' },
      h('progress', { max: 100, value: percent, 'aria-label': `${job.kind}, progress` }),
      h('span', null, `${percent} %`),
    ),
  );
}
