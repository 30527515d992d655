// The browser, and what every test does with the page.

import { createRequire } from 'node:module';
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
  return chromium.launch({ executablePath: path.join(home, 'chromium'), args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
}

export const LOGIN = { user: 'root', password: 'pass wörd' };

export async function logIn(page, { user, password } = LOGIN) {
  await page.getByLabel('User', { exact: true }).fill(user);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
}
