// What the answers mean: roles, who follows whom, how far behind, what is wrong. No page and no clock in here, so that it is
// tested without a browser.

import { count, parse, subtract } from './gtid.js';

/** A lag from which on a replica is pointed out, seconds. */
const LAG_NOTED_S = 10;

/**
 * What a page shows of a cluster. `known` maps a node's id to `{ status, at, error }`: its last status, when it was got (on
 * the clock of `now`, milliseconds), and why there is no newer one. `fresh` says that the asked agent answers.
 */
export function derive(known, now, fresh = true) {
  const members = newestMembers(known);
  const ids = [...new Set([...members.keys(), ...known.keys()])];
  const nodes = ids.map((id) => describe(id, known.get(id), members.get(id), now)).sort(byName);
  const primary = nodes.find((node) => node.answers && node.role === 'primary') ?? null;
  const leader = primary ?? nodes.find((node) => node.answers && node.status.state === 'LEADER') ?? null;
  const byAddress = new Map(
    nodes.filter((node) => node.status?.mysql?.address).map((node) => [node.status.mysql.address, node]),
  );
  const sets = new Map();
  for (const node of nodes) {
    node.source = node.replication ? (byAddress.get(node.replication.source) ?? null) : null;
    node.behind = behind(node, primary, sets);
    node.findings = findings(node, primary);
    node.level = worst(node.findings.map((finding) => finding.level));
    node.current = fresh && node.answers;
    if (!node.current) node.level = 'off';
  }
  const term = nodes.reduce((most, node) => Math.max(most, node.answers ? node.status.view_id : 0), 0);
  const voters = nodes.filter((node) => node.standing === 'voter');
  const cluster = {
    nodes,
    primary,
    leader,
    term,
    ids,
    voters: voters.length,
    votersUp: voters.filter((node) => node.answers).length,
  };
  cluster.id = nodes.find((node) => node.status?.cluster)?.status.cluster ?? null;
  cluster.states = states(cluster, fresh);
  return cluster;
}

function byName(a, b) {
  return a.id.localeCompare(b.id, 'en', { numeric: true });
}

/** The members by the newest list that anybody told; leaders' lists first among equals. */
function newestMembers(known) {
  let best = null;
  for (const { status } of known.values()) {
    if (!status?.members?.length) continue;
    const newer =
      best === null ||
      status.view_id > best.view_id ||
      (status.view_id === best.view_id && status.epoch_id > best.epoch_id);
    if (newer) best = status;
  }
  return new Map((best?.members ?? []).map((member) => [member.id, member]));
}

function describe(id, entry, member, now) {
  const status = entry?.status ?? null;
  const answers = status !== null && !entry.error;
  const node = { id, status, member: member ?? null, answers, error: entry?.error ?? (status ? '' : 'not heard yet') };
  node.ageMs = entry?.at === undefined || entry.at === null ? null : Math.max(0, now - entry.at);
  node.standing = member?.standing ?? null;
  node.priority = member?.priority ?? null;
  node.replication = status?.mysql?.replication ?? null;
  node.role = role(status, member);
  node.executed = status ? parse(status.mysql.executed) : null;
  node.transactions = node.executed ? count(node.executed) : null;
  const errant = status?.errant ? parse(status.errant) : null;
  node.errant = errant ? count(errant) : 0n;
  node.lagS = lag(status);
  return node;
}

function role(status, member) {
  if (!status) return 'unknown';
  if (isWitness(status)) return 'witness';
  if (status.state === 'LEADER') return status.mysql.writable ? 'primary' : 'leader';
  if (status.state === 'IDLE' || member?.standing === 'idle') return 'idle';
  if (status.state === 'LEARNER' || member?.standing === 'joining' || member?.standing === 'leaving') return 'learner';
  return 'replica';
}

function isWitness(status) {
  const own = status.members?.find((member) => member.id === status.id);
  return own?.witness === true || /raft\.witness/.test(status.unfit ?? '');
}

/** Seconds with a fraction where the agent measures it finer than the server tells. Null: cannot be said. */
function lag(status) {
  const replication = status?.mysql?.replication;
  if (!replication) return null;
  if (Number.isFinite(replication.lag_us)) return replication.lag_us / 1e6;
  return Number.isFinite(replication.seconds_behind) ? replication.seconds_behind : null;
}

/** The words for a role; never told by colour alone. */
export const ROLES = {
  primary: 'PRIMARY',
  leader: 'LEADER, not writable',
  replica: 'REPLICA',
  learner: 'LEARNER',
  idle: 'IDLE',
  witness: 'WITNESS',
  unknown: 'UNKNOWN',
};

/**
 * How many transactions of the primary a node has yet to fetch, and to apply. The two were asked a moment apart, so under
 * load a few of them are only the newer look at the primary.
 */
function behind(node, primary, sets) {
  if (!primary || node === primary || !node.answers || !node.executed || !primary.executed) return null;
  if (node.role === 'witness' || !node.status.mysql.alive) return null;
  const retrieved = setOf(node.replication?.retrieved ?? '', sets);
  if (!retrieved) return null;
  const missing = subtract(primary.executed, node.executed);
  return {
    total: count(missing),
    fetch: count(subtract(missing, retrieved)),
    apply: count(subtract(retrieved, node.executed)),
  };
}

function setOf(text, sets) {
  if (!sets.has(text)) sets.set(text, parse(text));
  return sets.get(text);
}

/** What is wrong with a node, worst first: `{ level: 'bad' | 'warn' | 'info', text }`. */
function findings(node, primary) {
  const { status } = node;
  if (!node.answers)
    return [{ level: 'bad', text: /^no answer/.test(node.error) ? node.error : `no answer: ${node.error}` }];
  const out = [];
  const say = (level, text) => out.push({ level, text });
  // The agent's own words first: they say what to do.
  for (const trouble of status.troubles ?? []) say(isMode(trouble) ? 'warn' : 'bad', trouble);
  if (node.role !== 'witness') serverFindings(node, say);
  for (const one of status.service_address ?? []) addressFindings(node, one, say);
  if (status.state === 'INVALID')
    say('bad', 'INVALID: it votes, and never leads, until its errant transactions are dealt with');
  if (node.errant > 0n)
    say(
      'bad',
      `${node.errant === 1n ? '1 errant transaction' : `${node.errant} errant transactions`}: the leader does not have ${node.errant === 1n ? 'it' : 'them'}`,
    );
  if (node.role === 'replica' && primary && node.replication && !node.source) {
    say('warn', `its source ${node.replication.source} is no member's server`);
  }
  if (status.job && isActive(status.job)) say('warn', `${status.job.kind} under way: ${status.job.phase}`);
  if (status.doubt && !out.some((finding) => finding.text.includes(status.doubt))) say('warn', status.doubt);
  if (node.lagS !== null && node.lagS >= LAG_NOTED_S) say('warn', `replication lags by ${Math.round(node.lagS)} s`);
  const order = { bad: 0, warn: 1, info: 2 };
  return out.sort((a, b) => order[a.level] - order[b.level]);
}

/** I5: the address is where clients may write, and nowhere else. */
function addressFindings(node, { address, state, last_error: failed }, say) {
  if (failed) say('bad', `the service address ${address} could not be moved: ${failed}`);
  else if (state === 'here' && node.role !== 'primary')
    say('bad', `it holds the service address ${address}, and is not the primary`);
  else if (state === 'away' && node.role === 'primary')
    say('bad', `the primary does not hold the service address ${address}`);
}

function serverFindings(node, say) {
  const { mysql, mysqld } = node.status;
  const replication = node.replication;
  const why = (text) => (text ? `: ${text}` : '');
  if (!mysqld.running) return say('bad', `mysqld does not run${why(mysqld.last_error)}`);
  if (!mysql.alive) return say('bad', `mysqld runs but does not serve${why(mysql.last_error)}`);
  if (!mysqld.monitor)
    say('warn', 'its monitor is off: the agent does not restart mysqld when it dies (xenoncli mysql startmonitor)');
  if (node.role === 'primary' || node.role === 'leader') return undefined;
  if (mysql.writable) say('bad', 'clients can write to it, and it is not the primary');
  if (replication && !replication.io_running) say('bad', `its receiver does not run${why(replication.last_error)}`);
  if (replication && !replication.sql_running) say('bad', `its applier does not run${why(replication.last_error)}`);
  if (!replication && node.role === 'replica') say('warn', 'it replicates from nobody');
  return undefined;
}

/** A state of the whole cluster that somebody chose or that the rules foresee, not a fault of one node. */
function isMode(trouble) {
  return /^(DEGRADED:|the cluster is paused)/.test(trouble);
}

export function isActive(job) {
  return job.state === 'running' || job.state === 'waiting';
}

/** The worst of some levels. */
export function worst(levels) {
  for (const level of ['bad', 'warn']) if (levels.includes(level)) return level;
  return 'ok';
}

/** The states of the cluster, worst first; HEALTHY when there is nothing else to say. */
function states(cluster, fresh) {
  const { nodes, primary, leader } = cluster;
  const answering = nodes.filter((node) => node.answers);
  const out = [];
  const say = (level, word, text) => out.push({ level, word, text });
  // Whatever else was true then: nobody knows whether it still is.
  if (!fresh) return [{ level: 'off', word: 'NOT CURRENT', text: 'the agent that this page asks does not answer' }];
  if (answering.length === 0) return [{ level: 'off', word: 'NO ANSWER', text: 'no node answers' }];
  if (cluster.id === null)
    return [{ level: 'off', word: 'NO CLUSTER', text: 'this node belongs to no cluster yet (xenoncli cluster add)' }];
  const writable = answering.filter((node) => node.status.mysql.writable && node.status.mysql.alive);
  if (writable.length > 1)
    say('bad', 'TWO WRITABLE', `clients can write to ${writable.map((node) => node.id).join(' and ')}`);
  if (!primary && leader) say('warn', 'OPENING', `${leader.id} leads and does not take writes yet`);
  if (!primary && !leader) say('bad', 'NO PRIMARY', noPrimary(cluster));
  const troubles = answering.flatMap((node) => node.status.troubles ?? []);
  const degraded = troubles.find((trouble) => trouble.startsWith('DEGRADED:'));
  if (degraded) say('warn', 'DEGRADED', degraded.slice('DEGRADED:'.length).trim());
  const paused = troubles.find((trouble) => trouble.startsWith('the cluster is paused'));
  if (paused) say('warn', 'PAUSED', paused);
  const silent = nodes.filter((node) => !node.answers);
  if (silent.length > 0) say('bad', 'NODE DOWN', `no answer from ${silent.map((node) => node.id).join(', ')}`);
  const invalid = answering.filter((node) => node.status.state === 'INVALID');
  if (invalid.length > 0) say('bad', 'INVALID', `${invalid.map((node) => node.id).join(', ')} cannot follow as it is`);
  const worse = answering.filter((node) => node.level !== 'ok' && !onlyModes(node) && node.status.state !== 'INVALID');
  if (worse.length > 0) {
    say(
      worst(worse.map((node) => node.level)),
      'ATTENTION',
      worse.map((node) => `${node.id}: ${node.findings.find((finding) => !isMode(finding.text)).text}`).join(' · '),
    );
  }
  return out.length > 0
    ? out
    : [{ level: 'ok', word: 'HEALTHY', text: `${primary.id} serves, and every node follows it` }];
}

function onlyModes(node) {
  return node.findings.every((finding) => isMode(finding.text));
}

function noPrimary(cluster) {
  const need = Math.floor(cluster.voters / 2) + 1;
  if (cluster.votersUp < need)
    return `${cluster.votersUp} of ${cluster.voters} voters answer, ${need} are needed to elect one`;
  return 'nobody leads: an election is under way, or something stands in its way';
}

export function isPaused(cluster) {
  return cluster.states.some((state) => state.word === 'PAUSED');
}

/**
 * The nodes as trees, a source above its replicas: the primary's first, then what hangs below nobody. Sources that form a
 * ring, as a mistake by hand can make them, are cut open.
 */
export function trees(cluster) {
  const children = new Map();
  const roots = [];
  for (const node of cluster.nodes) {
    const source = node.answers && node !== cluster.primary && node.source !== node ? node.source : null;
    if (source) children.set(source, [...(children.get(source) ?? []), node]);
    else roots.push(node);
  }
  const placed = new Set();
  const grow = (node) => {
    placed.add(node);
    const below = (children.get(node) ?? []).filter((child) => !placed.has(child));
    return { node, below: below.map(grow) };
  };
  roots.sort((a, b) => rank(cluster, a) - rank(cluster, b));
  const out = roots.map(grow);
  for (const node of cluster.nodes) if (!placed.has(node)) out.push(grow(node));
  return out;
}

function rank(cluster, node) {
  if (node === cluster.primary) return 0;
  return node === cluster.leader ? 1 : 2;
}
