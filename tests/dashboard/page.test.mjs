// The page before a stand-in for an agent: states that a real cluster gets into once a year, and answers that it never gives.

import assert from 'node:assert/strict';
import test from 'node:test';
import { barriers, launch, logIn, openPage } from './driver.mjs';
import { healthy, hostile, ids, status, troubled, witness } from './scenes.mjs';
import { standIn } from './standin.mjs';

/** Of what takes long, all of it. */
const LONG = process.env.XENON_TEST_LONG === '1';

let browser;
const stories = [];
const story = (name, run) => stories.push([name, run]);

/** A page that shows a scene, until the test ends; whatever went wrong on it fails the test. */
async function shown(t, scene, { login, ...options } = {}) {
  const server = await standIn(scene);
  const page = await openPage(browser, server.url, options);
  t.after(async () => {
    const { mistakes } = page;
    await page.context().close();
    server.close();
    assert.deepEqual(mistakes, []);
  });
  if (login !== null) {
    if (login) await login(page);
    else await logIn(page);
    await page.locator('#topology .card').first().waitFor();
  }
  return { page, server, scene };
}

const card = (page, id) => page.locator(`#topology [data-node="${id}"]`);
const until = async (what, check, ms = 10_000) => {
  const end = Date.now() + ms;
  for (;;) {
    const found = await check();
    if (found) return found;
    if (Date.now() > end) assert.fail(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

story('login: a wrong one is told, a right one is kept in memory only, and logging out leaves nothing', async (t) => {
  const { page } = await shown(t, healthy(), { login: null });
  await logIn(page, { user: 'root', password: 'wrong' });
  await page.getByRole('alert').getByText('Wrong user or password.').waitFor();
  await logIn(page);
  await card(page, ids()[0]).getByText('PRIMARY').waitFor();
  const kept = await page.evaluate(() =>
    JSON.stringify({ ...sessionStorage, ...localStorage, cookie: document.cookie }),
  );
  assert.ok(!/Basic|pass/.test(kept), kept);
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
  assert.ok(!(await page.locator('body').textContent()).includes(ids()[0]));
  await page.getByLabel('Keep it in this tab').check();
  await logIn(page);
  await card(page, ids()[0]).waitFor();
  await page.reload();
  await card(page, ids()[0]).waitFor();
});

story('a login that is refused later asks for another', async (t) => {
  const { page, scene } = await shown(t, healthy());
  scene.noLogin = true;
  await page.getByText('does not accept this login any more').waitFor();
  assert.equal(await page.locator('#topology .card').count(), 0);
});

story('topology, table and node: who follows whom, how far behind, and what is wrong', async (t) => {
  const { page } = await shown(t, troubled());
  const [first, second, third, fourth, fifth] = ids(5);
  const tree = page.getByRole('list', { name: 'Who replicates from whom' });
  await card(page, first).getByText('PRIMARY').waitFor();
  assert.equal(await tree.locator(`.root > .branch > .below [data-node="${second}"]`).count(), 1);
  await card(page, second).getByText('3,203 to apply').waitFor();
  await card(page, third).getByText('INVALID', { exact: true }).waitFor();
  await card(page, fourth).getByRole('progressbar').waitFor();
  await card(page, fifth).getByText('NO ANSWER', { exact: true }).waitFor();
  for (const word of ['DEGRADED', 'NODE DOWN', 'INVALID', 'ATTENTION'])
    await page.locator('#states').getByText(word, { exact: true }).waitFor();
  await page
    .locator('#nodes')
    .getByRole('row', { name: new RegExp(third) })
    .getByText('✕ stopped / ✕ stopped')
    .waitFor();
  await card(page, third).getByRole('button', { name: third }).click();
  const sheet = page.locator('#sheet');
  await sheet.getByText('xenoncli mysql rebuildme').waitFor();
  await sheet.getByText('Why it may lead').waitFor();
  const errant = sheet.locator('.pairs > div', { hasText: 'Errant' });
  await errant.getByText('3 transactions').waitFor();
  await errant.getByText('show the set').click();
  await errant.locator('pre', { hasText: ':1-3' }).waitFor();
  // What was opened stays open while the numbers move on.
  await page.waitForResponse((response) => response.url().endsWith('/api/v1/cluster'));
  await page.waitForResponse((response) => response.url().endsWith('/api/v1/cluster'));
  assert.ok(await errant.locator('pre').isVisible());
});

story('a witness is no trouble, and a node without a cluster is told what to do', async (t) => {
  const { page, scene } = await shown(t, witness());
  await card(page, ids()[2]).getByText('WITNESS').waitFor();
  await page.locator('#states').getByText('HEALTHY').waitFor();
  const alone = status(0, 1);
  Object.assign(alone, { cluster: null, members: [], state: 'FOLLOWER', view_id: 0, leader: null });
  scene.cluster = { nodes: [{ id: alone.id, error: null, status: alone }] };
  await page.locator('#states').getByText('NO CLUSTER', { exact: true }).waitFor();
});

story('whatever servers say is shown, and none of it is run', async (t) => {
  const text = '"><img src=x onerror="alert(1)"><script>alert(2)</script>{{7*7}}';
  const { page } = await shown(t, hostile(text));
  await page.locator('#events li').first().getByText(text).first().waitFor();
  for (const name of ['10.0.0.1:8801', text]) {
    await page.locator('#nodes').getByRole('button', { name, exact: true }).click();
    await page.locator('#sheet .sheet-body').waitFor();
    await page.keyboard.press('Escape');
  }
  await page.locator('#reports button').first().click();
  await page.locator('#sheet .timeline').waitFor();
  assert.ok((await page.locator('#sheet').textContent()).includes(text));
  await page.keyboard.press('Escape');
  const found = await page.evaluate(() => document.querySelectorAll('img[src="x"], body script, [onerror]').length);
  assert.equal(found, 0);
});

story('events: live, bounded, filtered, held, and none twice after a break', async (t) => {
  const { page, server, scene } = await shown(t, healthy());
  const rows = page.locator('#events li');
  await page.locator('#events .feed', { hasText: 'live' }).waitFor();
  server.happen('trouble', 'the disk is nearly full');
  await rows.first().getByText('the disk is nearly full').waitFor();
  for (let at = 0; at < 3_000; at += 1) server.happen('step', `step ${at}`);
  await rows.first().getByText('step 2999', { exact: true }).waitFor();
  await until('no more than 500 rows', async () => (await rows.count()) === 500);
  server.cutStreams();
  server.happen('election', 'stands while nobody listens');
  await rows.first().getByText('stands while nobody listens').waitFor();
  const texts = await rows.allTextContents();
  assert.equal(new Set(texts).size, texts.length, 'one is there twice');
  await page.locator('#events').getByLabel('Kind').selectOption('election');
  await until('only elections', async () => (await rows.count()) === 1);
  await page.locator('#events').getByLabel('Text').fill('nothing of that kind');
  await page.getByText('No event fits the filter.').waitFor();
  await page.locator('#events').getByLabel('Text').fill('');
  await page.locator('#events').getByLabel('Kind').selectOption('');
  await page.getByRole('button', { name: 'Hold' }).click();
  server.happen('step', 'unseen for now');
  await page.getByRole('button', { name: 'Go on (1 new)' }).click();
  await rows.first().getByText('unseen for now').waitFor();
  // The agent starts anew, and goes on counting.
  scene.agentStarted += 1;
  server.cutStreams();
  server.happen('agent', 'the same log');
  await rows.first().getByText('the same log').waitFor();
  const again = await rows.allTextContents();
  assert.equal(new Set(again).size, again.length, 'one is there twice');
  // It has lost its events, and counts anew.
  scene.agentStarted += 1;
  scene.events = [{ seq: 1, unix_ms: Date.now(), node: ids()[0], kind: 'agent', text: 'a new agent' }];
  server.cutStreams();
  await rows.first().getByText('a new agent').waitFor();
});

story('without a stream the events are asked for', async (t) => {
  const { page, server } = await shown(t, { ...healthy(), stream: false });
  await page.locator('#events .feed', { hasText: 'asked every 2 s' }).waitFor();
  server.happen('trouble', 'seen all the same');
  await page.locator('#events li').first().getByText('seen all the same').waitFor();
});

story('an agent that is down or slow: nothing stale looks fresh, and no questions pile up', async (t) => {
  const { page, server, scene } = await shown(t, healthy());
  await page.locator('#link').getByText('up to date').waitFor();
  scene.down = true;
  server.cutStreams();
  await page
    .getByText(/Not current: the last answer came \d+ s ago/)
    .first()
    .waitFor();
  await page.locator('#states').getByText('NOT CURRENT').waitFor();
  assert.equal(await page.locator('#states').getByText('HEALTHY').count(), 0);
  await card(page, ids()[0]).getByText('was PRIMARY').waitFor();
  assert.ok(await page.getByRole('button', { name: 'Switch over…' }).isDisabled());
  assert.equal(await page.getByRole('link', { name: `http://10.0.0.2:${new URL(server.url).port}/` }).count(), 1);
  assert.match(await page.title(), /^NOT CURRENT/);
  await page.getByRole('button', { name: 'Try now' }).click();
  scene.down = false;
  await page.locator('#states').getByText('HEALTHY').waitFor();
  scene.delayMs = 1_500;
  server.asked.length = 0;
  const began = Date.now();
  await page.getByText(/answers take/).waitFor();
  await until('five seconds have passed', () => Date.now() - began > 5_000);
  const looks = server.asked.filter((one) => one.path === '/api/v1/cluster').length;
  assert.ok(looks <= 4, `${looks} questions to an agent that takes 1.5 s`);
});

story('answers that make no sense are told, and the page goes on', async (t) => {
  const { page, scene } = await shown(t, healthy());
  scene.garbage = true;
  await page.locator('.note.lost').waitFor();
  scene.garbage = false;
  await page.locator('#states').getByText('HEALTHY').waitFor({ timeout: 15_000 });
});

story('switchover: the plan first, then a button that names it; a refusal is told with its cure', async (t) => {
  const { page, server, scene } = await shown(t, healthy());
  scene.plan.hindrances = ['session 12 has changed 1 row(s) for 40 s; wait for it, or: KILL 12'];
  scene.refusal = {
    title: 'Refused',
    status: 409,
    detail: 'session 12 has changed 1 row(s)',
    cure: 'wait for it, or KILL 12',
    ask: '10.0.0.3:8801',
  };
  await page.getByRole('button', { name: 'Switch over…' }).click();
  const dialog = page.locator('#action');
  await dialog.getByLabel(ids()[1]).check();
  await dialog.getByLabel(/wait for it, seconds/).fill('3');
  const changes = () => server.asked.filter((one) => one.method !== 'GET' && !one.body?.dry_run);
  await dialog.getByRole('button', { name: /dry run/ }).click();
  await dialog.getByText('KILL 12').waitFor();
  await dialog.getByText('Sessions of applications on 10.0.0.1:8801 are ended').waitFor();
  assert.equal(changes().length, 0, 'nothing is done before it is confirmed');
  await dialog.getByRole('button', { name: 'Make 10.0.0.2:8801 the primary' }).click();
  const alert = dialog.getByRole('alert');
  await alert.getByText('What to try:').waitFor();
  assert.match(await alert.textContent(), /has changed 1 row.*KILL 12.*10\.0\.0\.3:8801/s);
  assert.deepEqual(changes()[0].body, { target: '10.0.0.2:8801', wait_ms: 3_000 });
  scene.refusal = null;
  scene.onChange = () => {
    const [first, second] = scene.cluster.nodes;
    Object.assign(first.status, {
      state: 'FOLLOWER',
      mysql: {
        ...first.status.mysql,
        writable: false,
        replication: { ...second.status.mysql.replication, source: '10.0.0.2:3306' },
      },
    });
    Object.assign(second.status, {
      state: 'LEADER',
      mysql: { ...second.status.mysql, writable: true, replication: null },
    });
  };
  await dialog.getByRole('button', { name: 'Make 10.0.0.2:8801 the primary' }).click();
  await dialog.getByText('Done.').waitFor();
  await dialog.getByText('10.0.0.2:8801 is the primary.').waitFor();
  assert.equal(changes().length, 2);
});

story('rebuild and pause: named, confirmed, done', async (t) => {
  const { page, server, scene } = await shown(t, healthy());
  const changes = () => server.asked.filter((one) => one.method !== 'GET' && !one.body?.dry_run);
  await card(page, ids()[2]).getByRole('button', { name: ids()[2] }).click();
  await page.getByRole('button', { name: 'Rebuild…' }).click();
  const dialog = page.locator('#action');
  await dialog.getByRole('button', { name: /dry run/ }).click();
  await dialog.getByText('would copy 1.2 GiB').waitFor();
  const go = dialog.getByRole('button', { name: 'Replace the data of 10.0.0.3:8801' });
  await dialog.getByLabel(/Type/).fill('10.0.0.2:8801');
  assert.ok(await go.isDisabled());
  await dialog.getByLabel(/Type/).press('Enter');
  assert.equal(changes().length, 0);
  await dialog.getByLabel(/Type/).fill('10.0.0.3:8801');
  await go.click();
  await dialog.getByText('Done.').waitFor();
  assert.deepEqual(
    changes().map((one) => [one.method, one.path, one.body]),
    [['POST', '/api/v1/nodes/10.0.0.3%3A8801/rebuild', { force: false, dry_run: false }]],
  );
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Pause…' }).click();
  await dialog.getByText('there is no failover').waitFor();
  scene.onChange = () => {
    scene.cluster.nodes[0].status.troubles = [
      'the cluster is paused: nobody is elected, whatever happens (end it: xenoncli cluster resume)',
    ];
  };
  await dialog.getByRole('button', { name: /Pause/ }).click();
  await dialog.getByText('Done.').waitFor();
  await dialog.getByRole('button', { name: 'Close' }).click();
  await page.locator('#states').getByText('PAUSED', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Resume…' }).waitFor();
});

story('a change without an answer is not said to have failed', async (t) => {
  const { page, scene } = await shown(t, healthy());
  await page.getByRole('button', { name: 'Pause…' }).click();
  scene.down = true;
  await page.locator('#action').getByRole('button', { name: /Pause/ }).click();
  await page.locator('#action').getByText('may have been done all the same').waitFor();
});

story('a login that may only look sees no actions, or learns so at its first try', async (t) => {
  const byToken = async (page) => {
    await page.getByLabel('Token', { exact: true }).check();
    await page.locator('[name=token]').fill('reading-token-0123');
    await page.getByRole('button', { name: 'Log in' }).click();
  };
  const { page } = await shown(t, healthy(), { login: byToken });
  await page.getByText('read-only login').waitFor();
  assert.equal(await page.getByRole('button', { name: /Switch over|Pause/ }).count(), 0);
  const other = await shown(t, { ...healthy(), session: false }, { login: byToken });
  await other.page.getByRole('button', { name: 'Pause…' }).click();
  await other.page.locator('#action').getByRole('button', { name: /Pause/ }).click();
  await other.page.locator('#action').getByText('this login may look, and change nothing').waitFor();
  await other.page.keyboard.press('Escape');
  await other.page.getByText('read-only login').waitFor();
});

story('a report is a timeline, with votes, positions, and what to do; its address can be passed on', async (t) => {
  const { page, server } = await shown(t, healthy());
  await page.locator('#reports button').first().click();
  const sheet = page.locator('#sheet');
  await sheet.getByText('What to do now').waitFor();
  assert.equal(await sheet.locator('.timeline tbody tr').count(), 7);
  const widths = await sheet
    .locator('.timeline .bar')
    .evaluateAll((bars) => bars.map((bar) => bar.getBoundingClientRect().width));
  assert.ok(
    widths.every((width) => width > 0) && Math.max(...widths) === widths[2],
    `the longest phase has the longest bar: ${widths}`,
  );
  await sheet.getByText('refused: its position is not known').waitFor();
  await sheet.getByText('179,123 transactions').waitFor();
  assert.match(page.url(), /#\/report\/4-10-0-0-1-8801$/);
  await page.keyboard.press('Escape');
  await page.goto(`${server.url}#/report/nowhere`);
  await sheet.getByText('there is nothing at this path').waitFor();
});

story('by keyboard alone: everything is reached, dialogs keep the focus and give it back', async (t) => {
  const { page } = await shown(t, healthy());
  const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim() ?? '');
  const tabTo = async (text) => {
    for (let steps = 0; steps < 60; steps += 1) {
      await page.keyboard.press('Tab');
      if ((await focused()) === text) return;
    }
    assert.fail(`no way to "${text}" by the Tab key`);
  };
  await tabTo('Switch over…');
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.notEqual(outline, 'none', 'the focus is seen');
  await page.keyboard.press('Enter');
  await page.locator('#action[open]').waitFor();
  await tabTo('Show the plan (dry run)');
  await page.keyboard.press('Enter');
  await page.locator('#action .plan').waitFor();
  for (let steps = 0; steps < 12; steps += 1) {
    await page.keyboard.press('Tab');
    assert.ok(
      await page.evaluate(
        () =>
          document.activeElement === document.body ||
          document.querySelector('#action').contains(document.activeElement),
      ),
      'the focus stays in the dialog',
    );
  }
  await page.keyboard.press('Escape');
  await until('the focus is back', async () => (await focused()) === 'Switch over…');
  await tabTo(ids()[1]);
  await page.keyboard.press('Enter');
  await page.locator('#sheet[open] .pairs').first().waitFor();
  await page.keyboard.press('Escape');
  await until('the focus is back', async () => (await focused()) === ids()[1]);
});

story('no barriers in light, dark, on a phone, in dialogs, or when all is lost', async (t) => {
  const found = [];
  const look = async (name, page) => found.push(...(await barriers(page)).map((one) => `${name}: ${one}`));
  const ways = [
    ['light', troubled(), {}],
    ['phone', troubled(), { width: 360, height: 740 }],
    ['dark', troubled(), { dark: true }],
  ];
  for (const [name, scene, options] of ways) {
    const { page, scene: live, server } = await shown(t, scene, options);
    await page.locator('#events li').first().waitFor();
    const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${name} is ${wide} px too wide`);
    if (name === 'phone' && !LONG) continue;
    await look(name, page);
    if (!LONG) continue;
    await page.locator('#topology').getByRole('button', { name: '10.0.0.3:8801' }).click();
    await page.locator('#sheet .pairs').first().waitFor();
    await look(`${name}, node`, page);
    await page.getByRole('button', { name: 'Rebuild…' }).click();
    await page.getByRole('button', { name: /dry run/ }).click();
    await page.locator('#action .said').waitFor();
    await look(`${name}, rebuild`, page);
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    await page.locator('#reports button').first().click();
    await page.locator('#sheet .timeline').waitFor();
    await look(`${name}, report`, page);
    await page.keyboard.press('Escape');
    live.down = true;
    server.cutStreams();
    await page.locator('.note.lost').waitFor();
    await look(`${name}, stale`, page);
  }
  const { page } = await shown(t, healthy(), { login: null });
  await look('login', page);
  assert.deepEqual(found, []);
});

// They mostly wait, so some go on at a time.
test('the page', { concurrency: 4 }, async (t) => {
  browser = await launch();
  t.after(() => browser.close());
  const wanted = new RegExp(process.env.XENON_TEST_ONLY ?? '');
  await Promise.all(stories.filter(([name]) => wanted.test(name)).map(([name, run]) => t.test(name, run)));
});
