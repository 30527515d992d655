// One node, whole: what is wrong and what to do, why it may lead, and every number that there is.

import { h } from './dom.js';
import { bytes, counted, cut, lag, number, span } from './format.js';
import { count, parse, sources } from './gtid.js';
import { isActive } from './model.js';
import { promotionPhases, timeline } from './reports.js';
import { behindWords, jobBar, mark, roleWord, semiSyncWords } from './topology.js';

/** So much of a GTID set is shown, characters; fragmented ones have no end. */
const LONGEST_SET = 20_000;

export function nodeTitle(node) {
  return [
    mark(node.level),
    ' ',
    node.id,
    ' ',
    h('span', { class: `role ${node.current ? node.role : 'unknown'}` }, roleWord(node)),
  ];
}

/** `explanation` is what the asked agent says of this node, `buttons` what can be done with it. */
export function nodeBody(node, cluster, explanation, buttons) {
  const { status } = node;
  const names = uuids(cluster);
  return [
    !node.answers &&
      h(
        'p',
        { class: 'note bad' },
        `It does not answer (${node.error}).`,
        status ? ` Everything below is as it was ${span((node.ageMs ?? 0) / 1000)} ago.` : '',
      ),
    h('div', { class: 'buttons' }, buttons),
    h('h3', null, 'What is wrong, and what to do'),
    node.findings.length === 0
      ? h('p', { class: 'note ok' }, '✓ Nothing is wrong with it.')
      : h(
          'ul',
          { class: 'findings whole' },
          node.findings.map((finding, at) => h('li', { key: `${at}`, class: finding.level }, finding.text)),
        ),
    status?.doing?.length > 0 && [
      h('h3', null, 'What its agent is doing'),
      h(
        'ul',
        { class: 'lines' },
        status.doing.map((text, at) => h('li', { key: `${at}` }, text)),
      ),
    ],
    lead(node, explanation),
    status?.job && job(status.job),
    status && h('div', { class: node.current ? null : 'old' }, details(node, cluster, names)),
  ];
}

function lead(node, explanation) {
  const heard = explanation?.heard_ms_ago;
  const title = explanation
    ? explanation.leads
      ? 'Why it leads'
      : explanation.may_lead
        ? 'Why it may lead'
        : 'Why it may not lead now'
    : 'Whether it may lead';
  const why = explanation?.why?.length
    ? explanation.why
    : [node.status?.unfit ?? (node.status ? 'nothing stands against it' : 'not known')];
  return [
    h('h3', null, title),
    h(
      'ul',
      { class: 'lines' },
      why.map((text, at) => h('li', { key: `${at}` }, text)),
      explanation?.leads && explanation.next && h('li', { key: 'next' }, `If it died now: ${explanation.next}`),
      explanation?.leads && (explanation.cluster ?? []).map((text, at) => h('li', { key: `cluster-${at}` }, text)),
      Number.isFinite(heard) &&
        h('li', { key: 'heard' }, `heard ${number(heard)} ms ago by the agent that this page asks`),
    ),
  ];
}

function job(of) {
  const lines = of.lines ?? [];
  return [
    h('h3', null, isActive(of) ? 'The job under way' : 'The last job'),
    isActive(of) ? jobBar(of) : h('p', null, `${of.kind}: ${of.state} in phase “${of.phase}”`),
    h(
      'dl',
      { class: 'pairs' },
      pair('Asked for by', of.by || '–'),
      pair('From', of.donor ?? '–'),
      pair('Attempts', number(of.tries)),
      of.last_error && pair('Last failure', of.last_error),
    ),
    lines.length > 0 &&
      h(
        'details',
        null,
        h('summary', null, `What was done (${number(lines.length + (of.lines_before ?? 0))} steps)`),
        h(
          'ol',
          { class: 'lines', start: (of.lines_before ?? 0) + 1 },
          lines.map((text, at) => h('li', { key: `${at}` }, text)),
        ),
      ),
  ];
}

function details(node, cluster, names) {
  const { status } = node;
  const { mysql, mysqld, purge, counters } = status;
  const replication = node.replication;
  const group = (title, ...pairs) => [h('h3', null, title), h('dl', { class: 'pairs' }, pairs)];
  return [
    node.role !== 'witness' &&
      group(
        'Position',
        pair(
          'Executed',
          node.transactions === null ? '–' : counted(node.transactions, 'transaction'),
          gtids(mysql.executed, names),
        ),
        node.behind && pair('Behind the primary', behindWords(node.behind)),
        replication && pair('Retrieved', amount(replication.retrieved, names)),
        pair(
          'Errant',
          node.errant === 0n ? 'none' : [counted(node.errant, 'transaction'), gtids(status.errant, names)],
        ),
        pair('Purged', amount(mysql.purged, names)),
        pair('Newest term marker', number(mysql.marker)),
      ),
    replication &&
      group(
        'Replication',
        pair('Source', replication.source, node.source ? ` (${node.source.id})` : ''),
        pair('Receiver', replication.io_running ? '✓ runs' : '✕ stopped'),
        pair('Applier', replication.sql_running ? '✓ runs' : '✕ stopped'),
        pair('Lag', node.lagS === null ? 'cannot be said' : lag(node.lagS)),
        pair('Read up to', `${replication.source_log_file}:${replication.read_source_log_pos}`),
        replication.last_error && pair('Last error', replication.last_error),
      ),
    node.role !== 'witness' &&
      group(
        'Server',
        pair('Version', mysql.version || '–'),
        pair('Address', mysql.address || '–'),
        pair('UUID', mysql.server_uuid ?? '–'),
        pair('Writes', mysql.writable ? 'taken' : 'refused (read-only)'),
        pair('Semi-sync', semiSyncWords(node) ?? '–'),
        pair('Process', mysqld.running ? `runs, pid ${mysqld.pid ?? '–'}` : 'does not run'),
        pair(
          'Restarted by the agent',
          mysqld.monitor ? 'yes' : 'no: its monitor is off',
          ` (started ${counted(mysqld.starts ?? 0, 'time')})`,
        ),
        mysqld.last_error && pair('Last exit', mysqld.last_error),
        mysql.last_error && pair('Last look failed', mysql.last_error),
      ),
    node.role !== 'witness' &&
      group(
        'Binary logs',
        pair('Written to', mysql.binlog_file ? `${mysql.binlog_file}:${mysql.binlog_position}` : '–'),
        pair(
          'Files',
          `${number(purge?.files ?? 0)}, ${bytes(purge?.bytes ?? 0)}`,
          purge?.oldest ? `, from ${purge.oldest}` : '',
        ),
        pair('Purged by the agent', purge?.on ? `yes, ${counted(purge.purged_files ?? 0, 'file')} so far` : 'no'),
        purge?.waits && pair('Waits', purge.waits),
        (purge?.held_by ?? []).map((hold, at) =>
          h(
            'div',
            { key: `hold-${at}` },
            h('dt', null, `Kept for ${hold.node}`),
            h('dd', null, `${hold.why}, for ${span(hold.for_s)}`),
          ),
        ),
        status.holds_binlogs && pair('Holds everybody’s', status.holds_binlogs),
      ),
    (status.service_address ?? []).length > 0 &&
      group(
        'Service addresses',
        ...status.service_address.map((one) =>
          pair(
            one.address,
            `${one.state}${one.interface ? `, on ${one.interface}` : ''}`,
            one.last_error && `: ${one.last_error}`,
          ),
        ),
      ),
    status.last_promotion && [
      h('h3', null, `Its last promotion, in term ${number(status.last_promotion.term)}`),
      h('p', null, status.last_promotion.cause),
      timeline(promotionPhases(status.last_promotion), 0),
    ],
    group(
      'Agent and elections',
      pair('State', `${status.state} for ${span(status.state_uptime_s)}`),
      pair('Term', number(status.view_id)),
      pair('Member list', `version ${number(status.epoch_id)}`),
      pair(
        'Standing',
        node.standing ?? 'member of no cluster',
        node.priority === null
          ? ''
          : `, priority ${number(node.priority)}${node.priority === 0 ? ' (never leads)' : ''}`,
      ),
      pair('Hears as leader', status.leader ?? 'nobody'),
      pair('A node that cannot come back', status.rejoin === 'ask' ? 'waits for an operator' : 'is rebuilt by itself'),
      pair(
        'Led, stopped leading',
        `${number(counters?.leader_promotes ?? 0)}, ${number(counters?.leader_degrades ?? 0)}`,
      ),
      pair(
        'Stood, gave up',
        `${number(counters?.candidate_promotes ?? 0)}, ${number(counters?.candidate_degrades ?? 0)}`,
      ),
      pair('Version', `${status.version}, up ${span(status.uptime_s)}, pid ${status.pid}`),
      pair('Config', status.config_path),
    ),
  ];
}

function pair(name, ...value) {
  return h('div', { key: name }, h('dt', null, name), h('dd', null, ...value));
}

function amount(text, names) {
  const set = parse(text ?? '');
  if (!set) return cut(text, 500);
  return count(set) === 0n ? 'none' : [counted(count(set), 'transaction'), gtids(text, names)];
}

/** Who a UUID belongs to, for reading sets. */
function uuids(cluster) {
  const names = new Map(
    cluster.nodes
      .filter((node) => node.status?.mysql?.server_uuid)
      .map((node) => [node.status.mysql.server_uuid, node.id]),
  );
  if (cluster.id) names.set(cluster.id, 'term markers');
  return names;
}

/** A GTID set that is shown when it is asked for, a source a line. */
export function gtids(text, names = new Map()) {
  if (!text) return null;
  const set = parse(text);
  const list = set ? sources(set) : [];
  const whole = set
    ? list
        .map(({ source, intervals }) => `${source}:${intervals}${names.has(source) ? `   (${names.get(source)})` : ''}`)
        .join('\n')
    : text;
  return h(
    'details',
    { class: 'gtids' },
    h('summary', null, 'show the set'),
    h('pre', { tabindex: '0', 'aria-label': 'GTID set' }, cut(whole, LONGEST_SET)),
    whole.length > LONGEST_SET &&
      h('p', { class: 'aside' }, 'The rest is left out here: xenoncli cluster gtid shows it.'),
  );
}
