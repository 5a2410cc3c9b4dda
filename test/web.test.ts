/** The web page in a real Chromium against a real server: what a person does, under the strict policy, accessible, with nothing from elsewhere. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { AxeBuilder } from '@axe-core/playwright';
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildWebPage } from '../packages/server/src/web-build.ts';
import { startWeir, type TestWeir } from './support/weir.ts';

const assets = fileURLToPath(new URL('../packages/web/dist/assets/', import.meta.url));
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const wcag = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
/** The published bound, from the answer to whoever revokes to the end of the picture. */
const withinMs = 1_000;

let weir: TestWeir;
let browser: Browser;
let home: string;
let signedIn: Awaited<ReturnType<BrowserContext['storageState']>>;
/** What no page may ever cause; looked at after each test. */
const offences: string[] = [];

beforeAll(async () => {
  await buildWebPage(() => undefined);
  weir = await startWeir({ worker: true });
  home = new URL(weir.ready.signInLink ?? weir.url).origin;
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: flags });
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await weir?.[Symbol.asyncDispose]();
});

async function open(options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
  context.setDefaultTimeout(15_000);
  await context.addInitScript({ content: "addEventListener('securitypolicyviolation', (e) => console.error('policy violation', e.violatedDirective, e.blockedURI, e.sample));" });
  context.on('console', (message) => {
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) offences.push(message.text());
  });
  context.on('weberror', (error) => offences.push(String(error.error())));
  context.on('request', (request) => {
    const url = new URL(request.url());
    if (url.protocol !== 'blob:' && url.origin !== home) offences.push(`request to ${url.origin}`);
  });
  return context.newPage();
}

const openSignedIn = (options: BrowserContextOptions = {}): Promise<Page> => open({ storageState: signedIn, ...options });

/** Waits until the clip of the first start is there, and opens its page. */
async function openClip(page: Page): Promise<void> {
  await page.goto(`${home}/library`);
  await page.getByRole('link', { name: 'First light', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'First light' }).waitFor();
}

/** What these tests touch of a video element. */
type Media = { currentTime: number; muted: boolean; play: () => Promise<void> };

const played = (page: Page): Promise<number> => page.locator('video').evaluate((video: Media) => video.currentTime);

async function play(page: Page): Promise<void> {
  await page.locator('video').evaluate(async (video: Media) => {
    video.muted = true;
    await video.play();
  });
  const before = await played(page);
  await expect.poll(() => played(page), { timeout: 15_000 }).toBeGreaterThan(before);
}

test('a sign-in link signs in once, stays nowhere in the address, and a used one says how to get another', async () => {
  const page = await open();
  await page.goto(`${home}/jobs`);
  await page.getByText('weir admin user link NAME').waitFor();
  const link = weir.ready.signInLink ?? '';
  await page.goto(link);
  await page.getByRole('heading', { level: 1, name: 'Home' }).waitFor();
  expect(page.url()).toBe(`${home}/`);
  await page.goBack();
  expect(page.url()).not.toContain(link.split('#')[1]);
  signedIn = await page.context().storageState();
  const second = await open();
  await second.goto(link);
  await second.getByText('This link was used already').waitFor();
  await page.context().close();
  await second.context().close();
});

test('the bundled clip plays on the first page', async () => {
  const page = await openSignedIn();
  await page.goto(home);
  await play(page);
  await page.context().close();
});

test('a file is uploaded, and who may use it is said in words', async () => {
  const page = await openSignedIn();
  await page.goto(`${home}/library`);
  await page.getByLabel('Files to upload').setInputFiles({ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.alloc(300_000, 'weir ') });
  await page.getByText('Uploads finished').waitFor();
  await page.getByRole('link', { name: 'Open', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'notes.txt' }).waitFor();
  await page.getByText('Only you can use this, and whoever holds a link.').waitFor();
  await page.getByRole('radio', { name: /^Signed in/ }).click();
  await page.getByText('When, where, how many').click();
  await page.getByLabel('Players at a time').fill('1');
  await page.getByRole('button', { name: 'Save policy' }).click();
  await page.getByText('Policy saved').waitFor();
  await page.reload();
  await page.getByText('Everyone who is signed in can use this. Each of them on one player at a time.').first().waitFor();
  await page.getByText('History', { exact: true }).click();
  await page.getByRole('button', { name: 'Restore version 0' }).click();
  await page.reload();
  await page.getByText('Only you can use this, and whoever holds a link.').first().waitFor();
  await page.context().close();
});

test('a policy is applied to what was made of a content, and links stand under those that they were narrowed from', async () => {
  const page = await openSignedIn();
  await page.goto(`${home}/library`);
  await page.getByRole('link', { name: 'First light, smaller' }).waitFor();
  await openClip(page);
  await page.getByRole('radio', { name: /^Private/ }).click();
  await page.getByRole('button', { name: 'Save policy' }).click();
  await page.getByText('Policy saved').waitFor();
  await page.getByRole('button', { name: 'Apply to all made from it' }).click();
  await page.getByText('1 made from it have this policy now').waitFor();
  await page.getByText('History', { exact: true }).click();
  await page.getByRole('button', { name: 'Restore version 0' }).click();
  await page.getByRole('radio', { name: /^Signed in/, checked: true }).waitFor();
  await page.getByRole('button', { name: 'Apply to all made from it' }).click();
  await page.getByText('1 made from it have this policy now').nth(1).waitFor();
  await page.getByRole('button', { name: 'New link' }).click();
  await page.getByRole('button', { name: 'Make link' }).click();
  const grant = new URL(await page.getByLabel('Direct link', { exact: true }).innerText()).searchParams.get('grant');
  await page.getByRole('button', { name: 'Done' }).click();
  expect((await weir.anonymous.send('POST', '/api/v1/grants/narrow', { grant, uses: 1 })).status).toBe(201);
  await page.reload();
  await page.getByText('Narrowed:').waitFor();
  await page.getByRole('button', { name: 'Revoke', exact: true }).first().click();
  await expect.poll(() => page.getByText('Revoked', { exact: true }).count()).toBe(2);
  await page.context().close();
});

test('a title that is markup is shown as it is written, and does nothing (dffmpeg §2 #12)', async () => {
  const page = await openSignedIn();
  await page.goto(`${home}/library`);
  const title = '<img src=x onerror=document.title=666>.txt';
  await page.getByLabel('Files to upload').setInputFiles({ name: title, mimeType: 'text/plain', buffer: Buffer.from('markup') });
  await page.getByText('Uploads finished').waitFor();
  await page.getByRole('link', { name: 'Open', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: title }).waitFor();
  expect(await page.locator('img[src="x"]').count()).toBe(0);
  expect(await page.title()).not.toBe('666');
  await page.context().close();
});

test('a link plays signed out, and revoking it stops the player within a second', async () => {
  const page = await openSignedIn();
  await openClip(page);
  await page.getByRole('button', { name: 'New link' }).click();
  await page.getByLabel('How often').fill('1');
  await page.getByRole('button', { name: 'Make link' }).click();
  const link = await page.getByLabel('Watch link', { exact: true }).innerText();
  await page.getByRole('button', { name: 'Done' }).click();

  const viewer = await open();
  await viewer.goto(link);
  await play(viewer);
  await viewer.getByRole('heading', { name: 'Watch' }).waitFor();
  const revoked = page.waitForResponse((response) => response.request().method() === 'DELETE').then(() => performance.now());
  await page.getByRole('button', { name: 'Revoke', exact: true }).click();
  const revokedAt = await revoked;
  await viewer.locator('video').waitFor({ state: 'detached' });
  expect(performance.now() - revokedAt).toBeLessThan(withinMs);
  await viewer.getByText('The right to watch was withdrawn').waitFor();
  await viewer.reload();
  await viewer.getByText('This link does not let you watch').waitFor();
  await viewer.context().close();
  await page.context().close();
});

test('a job is submitted from its form and followed to an output that plays', async () => {
  const list = await openSignedIn();
  await list.goto(`${home}/jobs`);
  await list.getByRole('link', { name: 'First light, smaller' }).waitFor();
  const page = await openSignedIn();
  await openClip(page);
  await page.getByRole('button', { name: 'Make…' }).click();
  await page.getByRole('menuitem', { name: /^MP4/ }).click();
  await page.getByLabel('Height').fill('100');
  await page.getByText('At least 144.').waitFor();
  await page.getByLabel('Height').fill('240');
  await page.getByRole('button', { name: 'Make it' }).click();
  await page.getByRole('heading', { level: 1, name: /First light → / }).waitFor();
  // The list of another window follows without being asked.
  await list.getByRole('link', { name: /First light → / }).waitFor();
  await list.getByRole('progressbar', { name: /First light → / }).waitFor({ timeout: 60_000 });
  await page.getByRole('progressbar', { name: 'Progress' }).waitFor({ timeout: 60_000 });
  await page.getByRole('heading', { name: 'Output' }).waitFor({ timeout: 60_000 });
  await play(page);
  await list.context().close();
  await page.context().close();
}, 150_000);

const looks: readonly BrowserContextOptions[] = [{ colorScheme: 'light' }, { colorScheme: 'dark', viewport: { width: 390, height: 844 }, hasTouch: true }];
test.for(looks.map((look) => ({ look, colours: look.colorScheme, width: look.viewport?.width ?? 1280 })))('every page is accessible in $colours colours at $width pixels', { timeout: 120_000 }, async ({ look }) => {
  const page = await openSignedIn(look);
  const check = async (what: string): Promise<void> => {
    await page.waitForTimeout(300);    // a popup that fades in has not its contrast yet
    const { violations } = await new AxeBuilder({ page }).withTags(wcag).analyze();
    expect(violations.map(({ id, nodes }) => `${what}: ${id}: ${nodes[0]?.html ?? ''}`)).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth'), `${what} is wider than the window`).toBeLessThanOrEqual(0);
  };
  await page.goto(home);
  await page.locator('video').waitFor();
  await check('home');
  await page.goto(`${home}/jobs`);
  await page.getByRole('link', { name: /First light → / }).click();
  await page.getByRole('heading', { name: 'Output' }).waitFor();
  await check('job');
  await page.goto(`${home}/library`);
  await page.getByRole('link', { name: 'First light', exact: true }).waitFor();
  await check('library');
  await openClip(page);
  await page.getByText('When, where, how many').click();
  await page.getByText('History', { exact: true }).click();
  await check('asset');
  await page.getByRole('button', { name: 'Show as curl: Set this policy' }).click();
  await check('curl');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Make…' }).click();
  await check('menu');
  await page.getByRole('menuitem', { name: /^MP4/ }).click();
  await check('dialog');
  await page.goto(`${home}/library/01J00000000000000000000000`);
  await page.getByText('There is nothing at this address').waitFor();
  await check('absent');
  await page.goto(`${home}/watch#cid=a&grant=b`);
  await page.getByText('This link does not let you watch').waitFor();
  await check('watch');
  await page.context().clearCookies();
  await page.goto(`${home}/library`);
  await page.getByText('Open a sign-in link').waitFor();
  await check('sign-in');
  await page.context().close();
});

test('the keyboard alone reaches the content, and a chosen theme is kept', async () => {
  const page = await openSignedIn({ colorScheme: 'light' });
  await page.goto(`${home}/library`);
  await page.getByRole('link', { name: 'First light', exact: true }).waitFor();
  await page.keyboard.press('Tab');
  await expect.poll(() => page.evaluate('document.activeElement.textContent')).toBe('Skip to content');
  await page.getByRole('button', { name: 'Use dark colours' }).click();
  await page.reload();
  await page.getByRole('button', { name: 'Use light colours' }).waitFor();
  expect(await page.evaluate('getComputedStyle(document.documentElement).colorScheme')).toBe('dark');
  await page.context().close();
});

test('signing out ends it here', async () => {
  const page = await openSignedIn();
  await page.goto(home);
  await page.getByRole('button', { name: /^Account/ }).click();
  await page.getByRole('menuitem', { name: /Sign out/ }).click();
  await page.getByText('Open a sign-in link').waitFor();
  await page.goto(`${home}/library`);
  await page.getByText('Open a sign-in link').waitFor();
  await page.context().close();
});

/** The scripts that a file of the built page loads at once, itself too; what it loads when somebody goes there is not among them. */
async function loadedAtOnce(name: string, seen: Set<string> = new Set()): Promise<ReadonlySet<string>> {
  if (seen.has(name)) return seen;
  seen.add(name);
  const text = await readFile(`${assets}${name}`, 'utf8');
  for (const [, part = ''] of text.matchAll(/(?:import|from)\s*"\.\/([^"]+\.js)"/g)) await loadedAtOnce(part, seen);
  return seen;
}

test('the first load is less than 250 kB of script', async () => {
  const entries = [...(await readFile(`${assets}../index.html`, 'utf8')).matchAll(/<script[^>]* src="\/assets\/([^"]+)"/g)].map(([, name = '']) => name);
  expect(entries).toHaveLength(1);
  const scripts = await loadedAtOnce(entries[0] ?? '');
  const sizes = await Promise.all([...scripts].map(async (name) => gzipSync(await readFile(`${assets}${name}`)).length));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  expect(total).toBeGreaterThan(100_000);
  expect(total).toBeLessThan(250_000);
});

test('nothing broke the policy of the page, failed in it, or asked anything of another origin', () => {
  expect(offences).toEqual([]);
});
