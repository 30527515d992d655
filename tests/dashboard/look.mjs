// Takes pictures of the page in many states, to be looked at by a person: node look.mjs FOLDER (with XENON_BROWSER).
import { mkdirSync } from 'node:fs';
import { launch, logIn } from './driver.mjs';
import { healthy, hostile, troubled, witness } from './scenes.mjs';
import { standIn } from './standin.mjs';

const folder = process.argv[2] ?? 'pictures';
mkdirSync(folder, { recursive: true });
const browser = await launch();

async function shoot(
  name,
  scene,
  { dark = false, width = 1440, height = 1000, then = async () => {}, full = true } = {},
) {
  const server = await standIn(scene);
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? 'dark' : 'light',
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && console.log(name, message.text()));
  page.on('pageerror', (error) => console.log(name, error.stack));
  await page.goto(server.url);
  await logIn(page);
  await page.locator('#topology .card').first().waitFor();
  await page.locator('#events li').first().waitFor();
  await then(page, server, scene);
  await page.screenshot({ path: `${folder}/${name}.png`, fullPage: full });
  await context.close();
  server.close();
}

const only = process.argv[3];
const all = {
  light: () => shoot('light', healthy()),
  dark: () => shoot('dark', healthy(), { dark: true }),
  troubled: () => shoot('troubled', troubled()),
  'troubled-dark': () => shoot('troubled-dark', troubled(), { dark: true }),
  phone: () => shoot('phone', troubled(), { width: 360, height: 740 }),
  nine: () => shoot('nine', healthy(9)),
  five: () => shoot('five', healthy(5)),
  'phone-nine': () => shoot('phone-nine', healthy(9), { width: 360, height: 740 }),
  witness: () => shoot('witness', witness(), { width: 1000 }),
  hostile: () => shoot('hostile', hostile('<img src=x onerror=alert(1)>"\'&')),
  stale: () =>
    shoot('stale', healthy(), {
      then: async (page, server, scene) => {
        scene.down = true;
        server.cutStreams();
        await page.locator('.note.lost').waitFor({ timeout: 20_000 });
      },
    }),
  report: () =>
    shoot('report', healthy(), {
      full: false,
      then: async (page) => {
        await page.locator('#reports button').first().click();
        await page.locator('.timeline').waitFor();
      },
    }),
  node: () =>
    shoot('node', troubled(), {
      full: false,
      height: 1600,
      then: async (page) => {
        await page.getByRole('button', { name: '10.0.0.3:8801' }).first().click();
        await page.locator('.pairs').first().waitFor();
      },
    }),
  'phone-node': () =>
    shoot('phone-node', healthy(), {
      full: false,
      width: 360,
      height: 740,
      dark: true,
      then: async (page) => {
        await page.getByRole('button', { name: '10.0.0.1:8801' }).first().click();
        await page.locator('.pairs').first().waitFor();
      },
    }),
  switchover: () =>
    shoot('switchover', healthy(), {
      full: false,
      then: async (page) => {
        await page.getByRole('button', { name: 'Switch over…' }).click();
        await page.getByRole('button', { name: /dry run/ }).click();
        await page.locator('.plan').waitFor();
      },
    }),
  rebuild: () =>
    shoot('rebuild', troubled(), {
      full: false,
      dark: true,
      then: async (page) => {
        await page.getByRole('button', { name: '10.0.0.3:8801' }).first().click();
        await page.getByRole('button', { name: 'Rebuild…' }).click();
        await page.getByRole('button', { name: /dry run/ }).click();
        await page.locator('.said').waitFor();
      },
    }),
};
for (const [name, run] of Object.entries(all)) if (!only || only === name) await run();
await browser.close();
