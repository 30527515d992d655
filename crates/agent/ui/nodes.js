// All nodes as one dense table, to compare them by eye.

import { h } from './dom.js';
import { bytes, counted, lag, number, span } from './format.js';
import { behindWords, mark, roleWord, semiSyncWords } from './topology.js';

const COLUMNS = [
  'Node',
  'Role',
  'Raft',
  'Server',
  'Position',
  'Behind',
  'Lag',
  'Receiver / applier',
  'Semi-sync',
  'Errant',
  'Binlogs',
  'Agent',
];
const NUMBERS = new Set(['Position', 'Lag', 'Errant']);

export function nodesTable(cluster, { onOpen }) {
  return [
    h(
      'div',
      { class: 'section-head' },
      h('h2', { id: 'nodes-title' }, 'Nodes'),
      h(
        'p',
        { class: 'aside' },
        `${cluster.votersUp} of ${cluster.voters} voters ${cluster.nodes.some((node) => node.current) ? 'answer' : 'answered'}`,
      ),
    ),
    h(
      'div',
      { class: 'scroll', tabindex: '0', role: 'region', 'aria-labelledby': 'nodes-title' },
      h(
        'table',
        { class: 'dense' },
        h(
          'thead',
          null,
          h(
            'tr',
            null,
            COLUMNS.map((name) =>
              h('th', { scope: 'col', key: name, class: NUMBERS.has(name) ? 'number' : null }, name),
            ),
          ),
        ),
        h(
          'tbody',
          null,
          cluster.nodes.map((node) => row(node, cluster, onOpen)),
        ),
      ),
    ),
  ];
}

function row(node, cluster, onOpen) {
  const cells = node.status ? cellsOf(node, cluster) : COLUMNS.slice(2).map(() => '–');
  return h(
    'tr',
    { key: node.id, class: node.current ? null : 'old' },
    h(
      'th',
      { scope: 'row' },
      mark(node.level),
      ' ',
      h(
        'button',
        { type: 'button', class: 'linklike', 'aria-haspopup': 'dialog', on: { click: () => onOpen(node.id) } },
        node.id,
      ),
    ),
    h(
      'td',
      null,
      roleWord(node),
      node.standing && node.standing !== 'voter' ? ` · ${node.standing}` : '',
      node.priority === 0 ? ' · never leads' : '',
    ),
    cells.map((cell, at) => h('td', { class: NUMBERS.has(COLUMNS[at + 2]) ? 'number' : null }, cell)),
  );
}

function cellsOf(node, cluster) {
  const { status } = node;
  const { mysql, purge } = status;
  return [
    `${status.state} · ${span(status.state_uptime_s)}${status.view_id === cluster.term ? '' : ` · term ${number(status.view_id)}`}`,
    node.role === 'witness'
      ? 'none'
      : `${mysql.version || '–'} · ${mysql.alive ? (mysql.writable ? 'read-write' : 'read-only') : 'not serving'}`,
    node.transactions === null || node.role === 'witness' ? '–' : number(node.transactions),
    node.behind ? (node.behind.total === 0n && node.behind.apply === 0n ? '0' : behindWords(node.behind)) : '–',
    lag(node.lagS),
    threads(node),
    node.role === 'witness' ? '–' : (semiSyncWords(node) ?? '–'),
    number(node.errant),
    binlogs(mysql, purge),
    `${status.version} · up ${span(status.uptime_s)}`,
  ];
}

export function threads(node) {
  if (!node.replication) return '–';
  const word = (on) => (on ? '✓ runs' : '✕ stopped');
  return `${word(node.replication.io_running)} / ${word(node.replication.sql_running)}`;
}

function binlogs(mysql, purge) {
  const newest = mysql.binlog_file || '–';
  return purge?.files > 0 ? `${newest} · ${counted(purge.files, 'file')} · ${bytes(purge.bytes)}` : newest;
}
