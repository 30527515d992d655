// What the page computes, without a browser.

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { healthy, ids, troubled, witness } from './scenes.mjs';

// A copy, beside a file that says what they are: a page needs none, and older versions of Node do.
const copy = mkdtempSync(path.join(tmpdir(), 'xenon-ui-'));
process.on('exit', () => rmSync(copy, { recursive: true, force: true }));
cpSync(fileURLToPath(new URL('../../crates/agent/ui/', import.meta.url)), copy, { recursive: true });
writeFileSync(path.join(copy, 'package.json'), '{"type":"module"}');
const load = (name) => import(pathToFileURL(path.join(copy, name)).href);
const { count, parse, sources, subtract } = await load('gtid.js');
const { backoff, StreamParser } = await load('live.js');
const { derive, trees } = await load('model.js');
const { bytes, counted, millis, lag, number, span } = await load('format.js');

const A = '97a445c7-eb0a-11f1-960d-02fc00000001';
const B = '97b3837f-eb0a-11f1-8cec-02fc00000001';
const text = (set) =>
  sources(set)
    .map(({ source, intervals }) => `${source}:${intervals}`)
    .join(',');

function known(scene, at = 1_000) {
  return new Map(scene.cluster.nodes.map(({ id, error, status }) => [id, { status, at, error: error ?? '' }]));
}

test('GTID sets are counted and subtracted exactly', () => {
  assert.equal(count(parse('')), 0n);
  assert.equal(count(parse(`${A}:1-3:5,\n${B}:7`)), 5n);
  assert.equal(text(parse(`${A}:5:1-3:4`)), `${A}:1-5`);
  assert.equal(text(parse(`${A.toUpperCase()}:1:tag:1-5:9`)), `${A}:1,${A}:tag:1-5:9`);
  assert.equal(text(subtract(parse(`${A}:1-10`), parse(`${A}:3-4:9-20`))), `${A}:1-2:5-8`);
  assert.equal(text(subtract(parse(`${A}:1-3,${B}:1`), parse(`${A}:1-3`))), `${B}:1`);
  assert.equal(
    text(subtract(parse(`${A}:1-9223372036854775806`), parse(`${A}:2-9223372036854775805`))),
    `${A}:1:9223372036854775806`,
  );
  for (const wrong of ['x', `${A}`, `${A}:`, `${A}:1-`, `${A}:-1`, '<b>:1', null, 7, `${A}:1--2`])
    assert.equal(parse(wrong), null, String(wrong));
});

test('subtraction agrees with counting one by one', () => {
  const random = (() => {
    let seed = 7;
    return (below) => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return seed % below;
    };
  })();
  for (let round = 0; round < 300; round += 1) {
    const make = () => {
      const set = new Set();
      for (let i = 0; i < 25; i += 1) set.add(1 + random(40));
      return set;
    };
    const [a, b] = [make(), make()];
    const set = (of) => parse(`${A}:${[...of].join(':')}`);
    const want = [...a].filter((one) => !b.has(one)).length;
    assert.equal(count(subtract(set(a), set(b))), BigInt(want));
  }
});

test('a healthy cluster is a tree with its primary on top', () => {
  const cluster = derive(known(healthy()), 2_000);
  assert.equal(cluster.primary.id, ids()[0]);
  assert.deepEqual(
    cluster.states.map((one) => one.word),
    ['HEALTHY'],
  );
  assert.deepEqual(
    cluster.nodes.map((node) => node.role),
    ['primary', 'replica', 'replica'],
  );
  const [tree, ...others] = trees(cluster);
  assert.equal(others.length, 0);
  assert.deepEqual(
    tree.below.map(({ node }) => node.id),
    ids().slice(1),
  );
  assert.equal(cluster.nodes[1].behind.total, 0n);
});

test('everything that is wrong is said', () => {
  const cluster = derive(known(troubled()), 2_000);
  const words = cluster.states.map((one) => one.word);
  for (const word of ['DEGRADED', 'NODE DOWN', 'INVALID', 'ATTENTION'])
    assert.ok(words.includes(word), `${word} in ${words}`);
  const [first, second, third, fourth, fifth] = cluster.nodes;
  assert.deepEqual(
    [first.level, second.level, third.level, fourth.level, fifth.level],
    ['bad', 'warn', 'bad', 'bad', 'off'],
  );
  assert.equal(second.behind.total, 3_203n);
  assert.equal(second.behind.apply, 3_203n);
  assert.equal(third.errant, 3n);
  assert.equal(fourth.role, 'learner');
  assert.equal(fourth.behind, null, 'of a server that does not serve nobody knows');
  assert.equal(fifth.status, null);
});

test('two writable servers, no primary, a pause, and a witness', () => {
  const two = healthy();
  two.cluster.nodes[1].status.mysql.writable = true;
  assert.ok(derive(known(two), 0).states.some((one) => one.word === 'TWO WRITABLE'));
  const none = healthy();
  Object.assign(none.cluster.nodes[0], { status: null, error: 'no answer' });
  for (const { status } of none.cluster.nodes.slice(1)) Object.assign(status, { leader: null });
  const cluster = derive(known(none), 0);
  assert.equal(cluster.primary, null);
  assert.equal(cluster.states[0].word, 'NO PRIMARY');
  const lost = healthy();
  for (const node of lost.cluster.nodes.slice(1)) Object.assign(node, { status: null, error: 'no answer' });
  lost.cluster.nodes[0].status.state = 'FOLLOWER';
  assert.match(derive(known(lost), 0).states[0].text, /1 of 3 voters answer, 2 are needed/);
  const paused = healthy();
  paused.cluster.nodes[0].status.troubles = [
    'the cluster is paused: nobody is elected, whatever happens (end it: xenoncli cluster resume)',
  ];
  assert.deepEqual(
    derive(known(paused), 0).states.map((one) => one.word),
    ['PAUSED'],
  );
  const voting = derive(known(witness()), 0);
  assert.equal(voting.nodes[2].role, 'witness');
  assert.deepEqual(
    voting.states.map((one) => one.word),
    ['HEALTHY'],
    'a witness without a server is no trouble',
  );
});

test('the service address is where clients may write, and nowhere else', () => {
  const scene = healthy();
  const [first, second] = scene.cluster.nodes.map((node) => node.status);
  const address = (state) => [{ address: '10.0.0.100/24', interface: null, state, last_error: '', moved_ms: null }];
  first.service_address = address('here');
  second.service_address = address('away');
  assert.deepEqual(
    derive(known(scene), 0).states.map((one) => one.word),
    ['HEALTHY'],
  );
  first.service_address = address('away');
  second.service_address = address('here');
  const cluster = derive(known(scene), 0);
  assert.match(cluster.nodes[0].findings[0].text, /does not hold the service address/);
  assert.match(cluster.nodes[1].findings[0].text, /is not the primary/);
});

test('what is not current is not shown as if it were', () => {
  const cluster = derive(known(healthy()), 20_000, false);
  assert.deepEqual(
    cluster.states.map((one) => one.word),
    ['NOT CURRENT'],
  );
  assert.ok(cluster.nodes.every((node) => !node.current && node.level === 'off'));
});

test('sources that form a ring do not hang the page', () => {
  const scene = healthy();
  const [first, second, third] = scene.cluster.nodes;
  first.status.state = 'FOLLOWER';
  first.status.mysql.replication = { ...second.status.mysql.replication, source: third.status.mysql.address };
  second.status.mysql.replication.source = first.status.mysql.address;
  third.status.mysql.replication.source = second.status.mysql.address;
  let seen = 0;
  const walk = ({ below }) => {
    seen += 1;
    below.forEach(walk);
  };
  trees(derive(known(scene), 0)).forEach(walk);
  assert.equal(seen, 3);
});

test('a stream is taken apart wherever it is cut', () => {
  const whole =
    'retry: 1000\n: quiet\n\nid: 1\ndata: {"seq":1,"text":"a"}\n\nevent: gap\ndata: {}\n\nid: 2\r\ndata: {"seq":2}\r\n\r\ndata: no json\n\n';
  for (let size = 1; size < whole.length; size += 1) {
    const parser = new StreamParser();
    const events = [];
    for (let at = 0; at < whole.length; at += size) events.push(...parser.push(whole.slice(at, at + size)));
    assert.deepEqual(
      events.filter((event) => event.seq).map((event) => event.seq),
      [1, 2],
      `in pieces of ${size}`,
    );
  }
  assert.throws(() => new StreamParser().push('x'.repeat(1_000_001)));
});

test('pauses grow, and never beyond ten seconds', () => {
  assert.ok(backoff(1, 0) >= 500 && backoff(1, 1) <= 1_000);
  for (let failures = 0; failures < 2_000; failures += 1) assert.ok(backoff(failures, 1) <= 10_000);
  assert.ok(backoff(10, 0) >= 5_000);
});

test('numbers are written for people', () => {
  assert.equal(number(12_345_678_901_234_567_890n), '12,345,678,901,234,567,890');
  assert.equal(counted(1n, 'transaction'), '1 transaction');
  assert.equal(bytes(12_884_901_888), '12.0 GiB');
  assert.equal(bytes(0), '0 B');
  assert.equal(span(3_725), '1 h 2 min');
  assert.deepEqual([0, 0.0123, 2.54, 42, 185].map(lag), ['0 s', '12 ms', '2.5 s', '42 s', '3 min 5 s']);
  assert.equal(millis(46.21), '46.2 ms');
  assert.equal(millis(12_100), '12.1 s');
  for (const nothing of [Number.NaN, undefined, null]) assert.equal(millis(nothing), '–');
});
