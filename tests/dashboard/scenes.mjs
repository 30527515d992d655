// Scenes for the stand-in: answers of a real three-node cluster, changed where a test wants it.

const CLUSTER = '6f4052f6-b2c7-4bcb-ad86-bce95ad4993b';
const UUIDS = [
  '97a445c7-eb0a-11f1-960d-02fc00000001',
  '97b3837f-eb0a-11f1-8cec-02fc00000001',
  '97bd47aa-eb0a-11f1-8c1b-02fc00000001',
  '97c2b0c1-eb0a-11f1-a001-02fc00000001',
  '97d1c0aa-eb0a-11f1-a002-02fc00000001',
];
export const ids = (count = 3) => Array.from({ length: count }, (_, at) => `10.0.0.${at + 1}:8801`);

/** What a healthy node says of itself. Node 0 leads. */
export function status(at, count = 3) {
  const leads = at === 0;
  const executed = `${CLUSTER}:1-4,${UUIDS[0]}:1-184203,${UUIDS[1]}:1-9120`;
  return {
    id: ids(count)[at],
    state: leads ? 'LEADER' : 'FOLLOWER',
    view_id: 4,
    epoch_id: 3,
    cluster: CLUSTER,
    leader: ids(count)[0],
    members: ids(count).map((id) => ({ id, standing: 'voter', priority: 1 })),
    mysqld: { running: true, pid: 2400 + at, monitor: true, last_error: '', starts: 1 },
    mysql: {
      alive: true,
      writable: leads,
      address: `10.0.0.${at + 1}:3306`,
      version: '9.7.4',
      server_uuid: UUIDS[at] ?? `97d1c0aa-eb0a-11f1-b000-02fc0000000${at}`,
      executed,
      purged: '',
      marker: 4,
      binlog_file: 'binlog.000012',
      binlog_position: 48_210_377,
      replication: leads
        ? null
        : {
            source: '10.0.0.1:3306',
            io_running: true,
            sql_running: true,
            retrieved: `${CLUSTER}:4,${UUIDS[0]}:180000-184203`,
            source_log_file: 'binlog.000012',
            read_source_log_pos: 48_210_377,
            seconds_behind: 0,
            last_error: '',
          },
      semi_sync_source: leads ? [true, Math.floor(count / 2), count - 1] : [false, 1, 0],
      semi_sync_replica: !leads,
      last_error: '',
    },
    backup: { state: 'NONE', last_error: '' },
    rejoin: 'auto',
    counters: {
      idle_count: 0,
      leader_promotes: leads ? 1 : 0,
      leader_degrades: 0,
      leader_gets_heartbeats: 0,
      leader_gets_votes: 0,
      candidate_promotes: leads ? 1 : 0,
      candidate_degrades: 0,
    },
    unfit: null,
    errant: '',
    doing: [],
    troubles: [],
    purge: {
      on: true,
      files: 12,
      bytes: 12_884_901_888,
      oldest: 'binlog.000001',
      gtid_purged: '',
      purged_files: 3,
      waits: null,
      keeps_younger_s: null,
      held_by: [],
    },
    last_promotion: leads
      ? {
          term: 4,
          cause: 'the primary’s mysqld has died',
          phases: [
            ['frozen', 3.1],
            ['elected', 21.4],
            ['semi-sync-source-on', 24.3],
            ['write-marker', 38.2],
            ['open', 41.9],
          ],
        }
      : null,
    config_path: '/etc/xenon/xenon.json',
    version: '0.1.0',
    pid: 900 + at,
    uptime_s: 90_210 + at,
    state_uptime_s: leads ? 6_120 : 6_119,
  };
}

export function healthy(count = 3) {
  const nodes = ids(count).map((id, at) => ({ id, error: null, status: status(at, count) }));
  return {
    cluster: { nodes },
    events: events(),
    agentStarted: 1_790_000_000_000,
    reports: reports(),
    explain: explain(count),
    plan: plan(),
  };
}

/** Five nodes, everything in trouble that can be. */
export function troubled() {
  const scene = healthy(5);
  const [first, second, third, fourth, fifth] = scene.cluster.nodes;
  first.status.troubles = [
    'DEGRADED: 10.0.0.5:8801 does not answer; commits wait for no replica (C5)',
    'the disk of /var/lib/mysql is 97 % full; free some room, or writes will stop: xenoncli raft enablepurgebinlog',
  ];
  second.status.mysql.replication.seconds_behind = 42;
  second.status.mysql.executed = second.status.mysql.executed.replace('1-184203', '1-181000');
  third.status.state = 'INVALID';
  third.status.errant = `${UUIDS[2]}:1-3`;
  third.status.mysql.executed += `,${UUIDS[2]}:1-3`;
  third.status.unfit = 'it has 3 errant transactions';
  third.status.troubles = [
    `this node has transactions that the leader does not have: ${UUIDS[2]}:1-3; look at them with mysqlbinlog, then: xenoncli mysql rebuildme`,
  ];
  Object.assign(third.status.mysql.replication, {
    io_running: false,
    sql_running: false,
    last_error: 'stopped by the agent',
  });
  fourth.status.state = 'LEARNER';
  fourth.status.job = {
    kind: 'rebuild',
    state: 'running',
    phase: 'copying',
    by: 'policy',
    donor: '10.0.0.2:8801',
    bytes_done: 4_123_456_789,
    bytes_total: 9_876_543_210,
    percent: 41,
    bytes_per_s: 123_000_000,
    eta_s: 47,
    tries: 1,
    last_error: '',
    started_unix_ms: Date.now() - 33_000,
    again_in_s: null,
    lines: ['10.0.0.2:8801 has the data and is free', 'there is room for it'],
    lines_before: 0,
  };
  for (const node of [first, second, third, fourth]) node.status.members[3].standing = 'joining';
  Object.assign(fourth.status.mysql, { alive: false, replication: null, last_error: 'mysqld is down for the copy' });
  fourth.status.mysqld.running = false;
  Object.assign(fifth, { error: 'no answer within 1 s', status: null });
  return scene;
}

export function witness() {
  const scene = healthy(3);
  const last = scene.cluster.nodes[2].status;
  Object.assign(last, { unfit: 'its config says that it is a witness (raft.witness)' });
  last.mysql = {
    alive: false,
    writable: false,
    address: '10.0.0.3:3306',
    version: '',
    server_uuid: null,
    executed: '',
    purged: '',
    marker: 0,
    binlog_file: '',
    binlog_position: 0,
    replication: null,
    semi_sync_source: null,
    semi_sync_replica: null,
    last_error: '',
  };
  last.mysqld = { running: false, pid: null, monitor: false, last_error: '', starts: 0 };
  for (const { status: one } of scene.cluster.nodes) one.members[2].priority = 0;
  return scene;
}

/** Everything that is a text says this. */
export function hostile(text) {
  const scene = healthy(3);
  for (const { status: one } of scene.cluster.nodes) {
    one.troubles = [text];
    one.doing = [text];
    one.doubt = text;
    one.version = text;
    one.config_path = text;
    one.mysql.version = text;
    one.mysql.binlog_file = text;
    one.mysql.last_error = text;
    one.mysqld.last_error = text;
    one.state = text;
  }
  const [, second] = scene.cluster.nodes;
  second.status.mysql.replication.source = text;
  second.status.mysql.replication.last_error = text;
  second.status.mysql.executed = text;
  scene.cluster.nodes[2] = { id: text, error: text, status: null };
  scene.events.push({ seq: 900, unix_ms: Date.now(), node: text, kind: text, text });
  scene.reports.unshift({
    ...scene.reports[0],
    id: 'hostile',
    cause: text,
    by: text,
    node: text,
    old_primary: text,
    evidence: [text],
    todo: [text],
    rescue_failed: text,
    rescued: text,
    votes: [{ node: text, term: 1, granted: false, why: text, received: text }],
    phases: [{ name: text, at_ms: 1, took_ms: 1 }],
  });
  scene.explain.nodes[0].why = [text];
  scene.plan = { target: text, steps: [text], hindrances: [text] };
  return scene;
}

function explain(count) {
  return {
    by: ids(count)[0],
    next: '10.0.0.2:8801 would be elected: it has everything, and the least left to apply',
    cluster: [`${count} voters, ${Math.floor(count / 2) + 1} are a majority`],
    nodes: ids(count).map((node, at) => ({
      node,
      leads: at === 0,
      may_lead: true,
      heard_ms_ago: at === 0 ? null : 120,
      why:
        at === 0
          ? ['elected in term 4 with 2 of 3 votes', 'its marker is acknowledged']
          : ['it has everything that the leader has', 'it would stand if it heard no leader for 1,000 ms'],
    })),
  };
}

function plan() {
  return {
    target: '10.0.0.2:8801',
    steps: [
      '10.0.0.3:8801 is pointed at 10.0.0.2:8801 beforehand',
      '10.0.0.1:8801 takes no more writes, within 1 s, or it is given up',
      '10.0.0.2:8801 applies exactly what 10.0.0.1:8801 has',
      '10.0.0.2:8801 is elected and opens',
      '10.0.0.1:8801 follows 10.0.0.2:8801',
    ],
    hindrances: [],
  };
}

function events() {
  const began = Date.now() - 6_120_000;
  const list = [
    ['mysqld', 'mysqld of 10.0.0.2:8801 does not answer any more: its process has ended', 0],
    ['election', 'stands in term 4 with 193,327 transactions', 3.1],
    ['election', '10.0.0.3:8801 votes for this node in term 4', 19.8],
    ['election', 'leads term 4 with 2 of 3 votes', 21.4],
    ['step', 'semi-sync on: a commit waits for 1 acknowledgement', 24.3],
    ['step', 'the marker of term 4 is acknowledged', 38.2],
    ['step', 'opened for writes', 41.9],
    ['hook', 'leader-start-command ended with 0 after 12 ms', 54.2],
    ['trouble', '10.0.0.2:8801 has been silent for 3 s; its agent restarts mysqld by itself', null],
    ['config', '10.0.0.2:8801 follows again', null],
    ['operator', 'ann@db1: cluster status', null],
  ];
  return list.map(([kind, text, since], at) => ({
    seq: at + 1,
    unix_ms: began + at * 13,
    node: '10.0.0.1:8801',
    kind,
    text,
    ...(since === null ? {} : { since_start_ms: since }),
  }));
}

function reports() {
  const began = Date.now() - 6_120_000;
  const failover = {
    id: '4-10-0-0-1-8801',
    node: '10.0.0.1:8801',
    kind: 'failover',
    outcome: 'promoted',
    term: 4,
    began_unix_ms: began,
    took_ms: 54.2,
    cause: 'the mysqld of 10.0.0.2:8801 has died: its process was killed by signal 9',
    old_primary: '10.0.0.2:8801',
    by: null,
    evidence: ['10.0.0.2:8801 said that its mysqld ended (signal 9)', 'its port refused connections 0.4 ms later'],
    votes: [
      {
        node: '10.0.0.1:8801',
        term: 4,
        granted: true,
        why: '',
        received: `${CLUSTER}:1-3,${UUIDS[0]}:1-170000,${UUIDS[1]}:1-9120`,
      },
      {
        node: '10.0.0.3:8801',
        term: 4,
        granted: true,
        why: '',
        received: `${CLUSTER}:1-3,${UUIDS[0]}:1-170000,${UUIDS[1]}:1-9119`,
      },
      {
        node: '10.0.0.2:8801',
        term: 4,
        granted: false,
        why: 'its position is not known: its mysqld is down',
        received: null,
      },
    ],
    phases: [
      { name: 'detected', at_ms: 1.2, took_ms: 1.2 },
      { name: 'frozen', at_ms: 4.3, took_ms: 3.1 },
      { name: 'elected', at_ms: 21.4, took_ms: 17.1 },
      { name: 'semi-sync-source-on', at_ms: 24.3, took_ms: 2.9 },
      { name: 'write-marker', at_ms: 38.2, took_ms: 13.9 },
      { name: 'open', at_ms: 41.9, took_ms: 3.7 },
      { name: 'leader-start-command', at_ms: 54.2, took_ms: 12.3 },
    ],
    outage_at_most_ms: 61.5,
    aftermath: ['10.0.0.2:8801 has come back as a replica after 2.1 s'],
    rescued: '',
    rescue_failed: '',
    quarantined: `${UUIDS[1]}:9121-9122`,
    todo: [
      '2 transactions of 10.0.0.2:8801 were never acknowledged and are kept in its quarantine: xenoncli mysql quarantine',
    ],
    events: events().slice(0, 8),
  };
  const switchover = {
    ...failover,
    id: '3-10-0-0-2-8801',
    node: '10.0.0.2:8801',
    kind: 'switchover',
    term: 3,
    began_unix_ms: began - 86_400_000,
    took_ms: 17.6,
    cause: 'ann@db1 asked for it',
    old_primary: '10.0.0.1:8801',
    by: 'ann@db1',
    quarantined: '',
    todo: [],
  };
  return [failover, switchover];
}
