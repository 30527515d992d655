// The page before real agents and servers. Standard input says where they are: a line of JSON with `nodes` (id and url, the
// primary's first), `user`, `password`, and `pictures`, a folder or null.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { barriers, launch, logIn, openPage } from './driver.mjs';

const LONG = process.env.XENON_TEST_LONG === '1';
const { nodes, user, password, pictures } = JSON.parse(readFileSync(0, 'utf8'));
/** A real cluster on a busy machine. */
const PATIENCE = { timeout: 40_000 };
const began = Date.now();
const say = (text) => console.log(`${((Date.now() - began) / 1000).toFixed(1)} s: ${text}`);

const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
async function look(node) {
  const response = await fetch(`${node.url}api/v1/status`, { headers: { authorization } });
  assert.equal(response.status, 200);
  return response.json();
}

const browser = await launch();
try {
  await story();
} finally {
  await browser.close();
}

async function story() {
  const [primary, asked, third] = nodes;
  const page = await openPage(browser, asked.url, { width: 1400, height: 900 });
  const card = (node) => page.locator(`#topology [data-node="${node.id}"]`);
  const state = (word) => page.locator('#states').getByText(word, { exact: true });
  const picture = async (name, of = page, fullPage = false) =>
    pictures && of.screenshot({ path: `${pictures}/${name}.png`, fullPage });

  await logIn(page, { user, password: `${password}x` });
  await page.getByText('Wrong user or password.').waitFor();
  await logIn(page, { user, password });
  await card(primary).getByText('PRIMARY').waitFor(PATIENCE);
  for (const node of [asked, third]) {
    await page
      .locator(`#topology .root > .branch > .below [data-node="${node.id}"]`)
      .getByText('REPLICA')
      .waitFor(PATIENCE);
  }
  await state('HEALTHY').waitFor(PATIENCE);
  await page.locator('#events .feed', { hasText: 'live' }).waitFor(PATIENCE);
  say('the topology is right, and events are live');
  await picture('healthy');

  // Its server dies: seen here without anybody asking anew, told in events, and kept as a report.
  const { mysqld } = await look(primary);
  process.kill(mysqld.pid, 'SIGKILL');
  const next = await Promise.any(
    [asked, third].map(async (node) => {
      await card(node).getByText('PRIMARY').waitFor(PATIENCE);
      return node;
    }),
  );
  say(`failed over to ${next.id}`);
  await page.locator('#events li.election, #events li.step').first().waitFor(PATIENCE);
  await state('HEALTHY').waitFor(PATIENCE);
  await card(primary).getByText('REPLICA').waitFor(PATIENCE);
  say('the killed one follows again');
  await page
    .locator('#reports')
    .getByRole('row', { name: new RegExp(`${primary.id}.*${next.id}`) })
    .getByRole('button')
    .first()
    .click(PATIENCE);
  await page.locator('#sheet .timeline .bar').first().waitFor(PATIENCE);
  await page.locator('#sheet').getByRole('heading', { name: 'Votes' }).waitFor();
  await picture('report');
  await page.keyboard.press('Escape');
  say('its report is there');

  // A switchover back, by keyboard alone.
  const focused = () =>
    page.evaluate(() => (document.activeElement?.labels?.[0] ?? document.activeElement)?.textContent?.trim() ?? '');
  const tabTo = async (wanted) => {
    for (let steps = 0; steps < 80; steps += 1) {
      await page.keyboard.press('Tab');
      if (wanted.test(await focused())) return;
    }
    assert.fail(`no way to ${wanted} by the Tab key`);
  };
  await tabTo(/^Switch over…$/);
  await page.keyboard.press('Enter');
  await page.locator('#action[open]').waitFor();
  await tabTo(/^The best one/);
  for (let steps = 0; steps < 4 && !(await focused()).startsWith(primary.id); steps += 1)
    await page.keyboard.press('ArrowDown');
  await tabTo(/^Show the plan/);
  await page.keyboard.press('Enter');
  await page.locator('#action .plan li').first().waitFor(PATIENCE);
  await picture('switchover');
  await tabTo(new RegExp(`^Make ${primary.id} the primary$`));
  await page.keyboard.press('Enter');
  await page.locator('#action').getByText('Done.').waitFor(PATIENCE);
  await page.locator('#action').getByText(`${primary.id} is the primary.`).waitFor(PATIENCE);
  await page.keyboard.press('Escape');
  await state('HEALTHY').waitFor(PATIENCE);
  say('switched over by keyboard');

  // Looked at by people, and shown in the guide.
  await page
    .locator('#reports')
    .getByRole('row', { name: /Switchover/ })
    .waitFor(PATIENCE);
  await page.setViewportSize({ width: 1400, height: 1010 });
  await page.evaluate(() => {
    document.activeElement.blur();
    scrollTo(0, 0);
  });
  await picture('dashboard');

  if (LONG) await nightly(page, { primary, asked, third, card, state, picture });
  assert.deepEqual(page.mistakes, []);
}

async function nightly(page, { primary, asked, third, card, state, picture }) {
  // The agent that is asked hangs: what is shown grows old, and says so.
  const { pid } = await look(asked);
  process.kill(pid, 'SIGSTOP');
  try {
    await state('NOT CURRENT').waitFor(PATIENCE);
    await page
      .getByText(/Not current: the last answer came/)
      .first()
      .waitFor(PATIENCE);
    await picture('stale');
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await state('HEALTHY').waitFor(PATIENCE);
  say('an agent that hung is noticed, and that it is back');

  // The dry run of a rebuild, then a whole one.
  await card(third).getByRole('button', { name: third.id }).click();
  await page.getByRole('button', { name: 'Rebuild…' }).click();
  const dialog = page.locator('#action');
  await dialog.getByLabel('Even though the node is well').check();
  await dialog.getByRole('button', { name: /dry run/ }).click();
  await dialog.locator('.said').waitFor(PATIENCE);
  say(`rebuild, dry run: ${await dialog.locator('.said').textContent()}`);
  await dialog.getByLabel(/Type/).fill(third.id);
  await dialog.getByRole('button', { name: /Replace the data/ }).click();
  await dialog.getByText('Done.').waitFor(PATIENCE);
  await dialog.getByText('It is done.').waitFor({ timeout: 120_000 });
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await state('HEALTHY').waitFor({ timeout: 120_000 });
  say('rebuilt');

  await page.getByRole('button', { name: 'Pause…' }).click();
  await dialog.getByRole('button', { name: /^Pause/ }).click();
  await dialog.getByText('Done.').waitFor(PATIENCE);
  await page.keyboard.press('Escape');
  await state('PAUSED').waitFor(PATIENCE);
  await page.getByRole('button', { name: 'Resume…' }).click();
  await dialog.getByRole('button', { name: 'Resume', exact: true }).click();
  await dialog.getByText('Done.').waitFor(PATIENCE);
  await page.keyboard.press('Escape');
  await state('HEALTHY').waitFor(PATIENCE);
  say('paused and resumed');

  for (const [name, options] of [
    ['dark', { dark: true, width: 1400 }],
    ['phone', { width: 360, height: 740 }],
  ]) {
    const other = await openPage(browser, primary.url, options);
    await logIn(other, { user, password });
    await other.locator('#states').getByText('HEALTHY').waitFor(PATIENCE);
    await other.locator('#events li').first().waitFor(PATIENCE);
    assert.deepEqual(await barriers(other), [], name);
    await picture(name, other, name === 'phone');
    assert.deepEqual(other.mistakes, []);
    await other.context().close();
  }
}
