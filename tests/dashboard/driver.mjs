// The browser, and what every test does with the page.

import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

const home = process.env.XENON_BROWSER;
if (!home) {
  console.error('XENON_BROWSER is not set: XENON_BROWSER=$(scripts/browser dir)');
  process.exit(2);
}
const require = createRequire(path.join(home, 'package.json'));
const { chromium } = require('playwright-core');
export const AXE = require.resolve('axe-core/axe.min.js');

/** As root it cannot have its sandbox; it only opens pages of ours. */
export function launch() {
  return chromium.launch({
    executablePath: path.join(home, 'chromium'),
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  });
}

export const LOGIN = { user: 'root', password: 'pass wörd' };

export async function logIn(page, { user, password } = LOGIN) {
  await page.getByLabel('User', { exact: true }).fill(user);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
}

/** A page whose mistakes are noted: errors of the console, of scripts, and of the content security policy. */
export async function openPage(
  browser,
  url,
  { dark = false, width = 1280, height = 900, reducedMotion = 'reduce' } = {},
) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? 'dark' : 'light',
    reducedMotion,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  page.mistakes = [];
  page.on('console', (message) => {
    // What a stopped agent leaves unanswered, and what it refuses, the browser notes by itself.
    if (message.type() === 'error' && !/^Failed to load resource/.test(message.text()))
      page.mistakes.push(message.text());
    if (/Content.Security.Policy/i.test(message.text())) page.mistakes.push(message.text());
  });
  page.on('pageerror', (error) => page.mistakes.push(String(error.stack)));
  page.on('dialog', (dialog) => {
    page.mistakes.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !request.isNavigationRequest())
      page.mistakes.push(`something from outside: ${request.url()}`);
  });
  await page.goto(url);
  return page;
}

/** What a person with other eyes or hands would stumble on; nothing serious may be left. */
export async function barriers(page) {
  // Put in by the test, so the page's own policy does not keep it out.
  await page.evaluate(await axeSource());
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  return violations
    .filter((one) => ['serious', 'critical'].includes(one.impact))
    .map(
      (one) =>
        `${one.id}: ${one.help}: ${one.nodes
          .map((node) => `${node.target.join(' ')} (${node.failureSummary?.split('\n')[1]?.trim()})`)
          .slice(0, 4)
          .join(' | ')}`,
    );
}

let axe;
async function axeSource() {
  axe ??= await readFile(AXE, 'utf8');
  return axe;
}
