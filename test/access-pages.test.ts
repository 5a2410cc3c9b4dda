/** The Access pages in a real Chromium: what an administrator does with principals, tokens, roles and the log, and what the other person sees of it. */
import { DatabaseSync } from 'node:sqlite';
import path from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { permissions } from '../packages/security/src/roles.ts';
import { buildWebPage } from '../packages/server/src/web-build.ts';
import { groupPermissions } from '../packages/web/src/access/roles/permission-groups.ts';
import { dffmpegSigned, startWeir, type Client, type TestWeir } from './support/weir.ts';

const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const wcag = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
/** A folder to leave pictures of the pages in, to look at. */
const pictures = process.env['WEIR_TEST_PICTURES'];

let weir: TestWeir;
let browser: Browser;
let home: string;
let admin: Client;
/** The content of the administrator. */
let cid: string;
const offences: string[] = [];

beforeAll(async () => {
  await buildWebPage(() => undefined);
  weir = await startWeir();
  home = new URL(weir.ready.signInLink ?? weir.url).origin;
  admin = await weir.admin();
  cid = await admin.upload(Buffer.from('something of the administrator'), 'own.txt');
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: flags });
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await weir?.[Symbol.asyncDispose]();
});

async function newPage(options: BrowserContextOptions = {}): Promise<Page> {
  const context: BrowserContext = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
  context.setDefaultTimeout(15_000);
  await context.addInitScript({ content: "addEventListener('securitypolicyviolation', (e) => console.error('policy violation', e.violatedDirective, e.blockedURI, e.sample));" });
  context.on('console', (message) => {
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) offences.push(message.text());
  });
  context.on('weberror', (error) => offences.push(String(error.error())));
  return context.newPage();
}

const linkFor = async (name: string): Promise<string> => `${home}/sign-in#${(await admin.json<{ link: string }>('POST', `/api/v1/principals/${name}/sign-in-link`)).link.split('#')[1] ?? ''}`;

async function signedIn(name: string, options: BrowserContextOptions = {}): Promise<Page> {
  const page = await newPage(options);
  await page.goto(await linkFor(name));
  await page.getByRole('heading', { level: 1, name: 'Home' }).waitFor();
  return page;
}

/** A page of the Access area, by its address, with its heading there. */
async function visit(page: Page, address: string, heading: string): Promise<void> {
  await page.goto(`${home}/access${address}`);
  await page.getByRole('heading', { level: 1, name: heading }).waitFor();
}

test('a principal is added, signs in by its link, and a change of its role changes what it sees', async () => {
  const page = await signedIn('admin');
  await visit(page, '/principals', 'Principals');
  await page.getByRole('button', { name: 'Add a principal' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill('nina.k');
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByRole('heading', { name: 'nina.k is added' }).waitFor();
  const key = await page.locator('pre[aria-label="The key"]').innerText();
  expect(key).toMatch(/^[A-Za-z0-9+/]{43}=$/);
  const signed = await weir.anonymous.fetch('/api/v1/permissions', { headers: dffmpegSigned('nina.k', key, 'GET', '/api/v1/permissions') });
  expect(await signed.json()).toMatchObject({ principal: 'nina.k', role: 'user' });
  await page.getByRole('button', { name: 'Done', exact: true }).click();
  expect(await page.content()).not.toContain(key);

  await page.getByRole('link', { name: 'nina.k', exact: true }).click();
  await page.getByRole('button', { name: 'Make a sign-in link', exact: true }).click();
  const link = await page.locator('pre[aria-label="The link"]').innerText();
  await page.getByRole('button', { name: 'Done', exact: true }).click();
  const other = await newPage();
  await other.goto(`${home}/sign-in#${link.split('#')[1] ?? ''}`);
  await other.getByRole('heading', { level: 1, name: 'Home' }).waitFor();
  // Of the Access pages a user sees its own things only.
  await other.goto(`${home}/access`);
  await other.getByRole('heading', { level: 1, name: 'Tokens' }).waitFor();
  expect(await other.getByRole('navigation', { name: 'Access' }).getByRole('link').allInnerTexts()).toEqual(['Tokens', 'Grants', 'Sessions', 'Simulator']);
  await visit(other, '/grants', 'Grants');
  await other.getByText('No link works now.').waitFor();

  await page.getByLabel('Role', { exact: true }).selectOption('viewer');
  await page.getByRole('button', { name: 'Save rights' }).click();
  await page.getByText('Rights saved').waitFor();
  await page.getByRole('radio', { name: 'May not', exact: true }).click();
  await page.getByRole('link', { name: 'Simulate grant.list', exact: true }).waitFor();
  await other.getByRole('radio', { name: 'All', exact: true }).click();
  await other.getByRole('alert').getByText('share_content').waitFor();
  await other.reload();
  await expect.poll(() => other.getByRole('navigation', { name: 'Access' }).getByRole('link').allInnerTexts()).toEqual(['Tokens', 'Sessions']);

  await page.getByRole('button', { name: 'Disable', exact: true }).click();
  await page.getByText('nina.k is disabled').waitFor();
  await other.goto(`${home}/access`);
  await other.getByText('Open a sign-in link').waitFor();
  await page.getByRole('button', { name: 'Delete…' }).click();
  await page.getByLabel('Type “nina.k” to delete it').fill('nina');
  expect(await page.getByRole('button', { name: 'Delete nina.k' }).isDisabled()).toBe(true);
  await page.getByLabel('Type “nina.k” to delete it').fill('nina.k');
  await page.getByRole('button', { name: 'Delete nina.k' }).click();
  await page.getByRole('heading', { level: 1, name: 'Principals' }).waitFor();
  await page.getByRole('link', { name: 'nina.k', exact: true }).waitFor({ state: 'detached' });
  await page.context().close();
  await other.context().close();
}, 60_000);

test('a token is issued narrowed, works, and is refused as soon as it is revoked', async () => {
  const page = await signedIn('admin');
  await visit(page, '/tokens', 'Tokens');
  await page.getByRole('button', { name: 'Issue a token', exact: true }).click();
  await page.getByLabel('Only these permissions').fill('read_content');
  await page.getByRole('button', { name: 'Issue it' }).click();
  const token = await page.locator('pre[aria-label="The token"]').innerText();
  await page.getByRole('button', { name: 'Done', exact: true }).click();
  const send = (target: string): Promise<Response> => weir.anonymous.fetch(target, { headers: { authorization: `Bearer ${token}` } });
  expect((await send(`/api/v1/content/${cid}`)).status).toBe(200);
  expect((await send('/api/v1/principals')).status).toBe(403);
  const row = page.getByRole('listitem').filter({ hasText: 'Only read_content' }).first();
  await row.getByRole('button', { name: /^Revoke the token/ }).click();
  await row.getByText('Revoked', { exact: true }).waitFor();
  expect((await send(`/api/v1/content/${cid}`)).status).toBe(401);
  await page.context().close();
}, 60_000);

test('the simulator tells each clause, and the audit page finds what was done, verifies the log and names a forged event', async () => {
  await admin.json('POST', '/api/v1/principals', { principal: 'sam', role: 'viewer' });
  const page = await signedIn('admin');
  await visit(page, '/principals/sam', 'sam');
  await page.getByRole('link', { name: 'Simulate content.read', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'Simulator' }).waitFor();
  expect(await page.getByLabel('Principal', { exact: true }).inputValue()).toBe('sam');
  await page.getByLabel('Object').fill(cid);
  await page.getByRole('button', { name: 'Ask the gate' }).click();
  await page.getByText('sam may not do this.').waitFor();
  await page.getByText('sam does not own it; admin does.').waitFor();
  await page.getByLabel('Principal', { exact: true }).fill('admin');
  await page.getByRole('button', { name: 'Ask the gate' }).click();
  await page.getByText('admin may do this.').waitFor();

  await visit(page, '/audit', 'Audit');
  await page.getByLabel('Action').fill('user.*');
  await page.getByText('Object, address, words, time').click();
  await page.getByLabel('Object').fill('principal:sam');
  await page.getByRole('button', { name: 'Search', exact: true }).click();
  await page.getByRole('list', { name: 'Events' }).getByText('added with role viewer').waitFor();
  expect(await page.getByRole('list', { name: 'Events' }).getByRole('listitem').count()).toBe(1);
  await page.getByRole('button', { name: 'Follow live', exact: true }).click();
  await admin.json('PATCH', '/api/v1/principals/sam', { role: 'user' });
  await page.getByRole('list', { name: 'Events' }).getByRole('listitem').nth(1).waitFor();
  await page.getByRole('list', { name: 'Events' }).getByRole('button').first().click();
  await page.getByText('In the chain').waitFor();
  await page.getByRole('button', { name: 'Close', exact: true }).last().click();
  await page.getByRole('button', { name: 'Verify', exact: true }).click();
  await page.getByText('The log is intact').waitFor();

  const database = new DatabaseSync(path.join(weir.dataPath, 'weir.db'), { timeout: 5_000 });
  const forge = (reason: string): void => { database.prepare("update audit_event set reason = ? where object = 'principal:sam' and reason like 'added%'").run(reason); };
  forge('added with role admin');
  await page.getByRole('button', { name: 'Verify', exact: true }).click();
  await page.getByText('The log is not intact: an event was changed').waitFor();
  forge('added with role viewer');
  database.close();
  await page.getByRole('button', { name: 'Verify', exact: true }).click();
  await page.getByText('The log is intact').waitFor();
  await page.context().close();
}, 60_000);

test('a signing key is rotated, a session of somebody else is ended, and links are revoked with one press', async () => {
  await admin.json('POST', '/api/v1/principals', { principal: 'rita', role: 'user' });
  const rita = await signedIn('rita');
  const page = await signedIn('admin');
  await visit(page, '/keys', 'Signing keys');
  const links = page.getByRole('region', { name: 'Links', exact: true });
  await page.getByRole('button', { name: 'Rotate: Links' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Rotate', exact: true }).click();
  await links.getByText('Verifies', { exact: true }).waitFor();

  await visit(page, '/sessions', 'Sessions');
  await page.getByLabel('Of', { exact: true }).fill('rita');
  await page.getByRole('button', { name: 'Show', exact: true }).click();
  await page.getByRole('heading', { name: 'Where rita is signed in' }).waitFor();
  await page.getByRole('button', { name: /^End the session/ }).click();
  await page.getByText('rita is signed in nowhere.').waitFor();
  await rita.goto(`${home}/access`);
  await rita.getByText('Open a sign-in link').waitFor();

  const { url } = await admin.json<{ url: string }>('POST', '/api/v1/grants', { cid, expires_in: 3_600 });
  const target = new URL(url).pathname + new URL(url).search;
  expect((await weir.anonymous.fetch(target)).status).toBe(200);
  await visit(page, '/grants', 'Grants');
  await page.getByRole('button', { name: 'Revoke all', exact: true }).click();
  await page.getByText('No link works now.').waitFor();
  expect((await weir.anonymous.fetch(target)).status).toBe(403);
  await page.context().close();
  await rita.context().close();
}, 60_000);

test('the server says where a request comes from, and who may come from there', async () => {
  await admin.json('POST', '/api/v1/principals', { principal: 'office', role: 'user', networks: ['10.0.0.0/8'] });
  expect(await admin.json('GET', '/api/v1/access/address')).toMatchObject({ address: '127.0.0.1', forwarded_for: null, forwarded_counts: true, behind_proxy: false });
  const forwarded = await admin.fetch('/api/v1/access/address', { headers: { 'x-forwarded-for': '10.1.2.3' } });
  expect(await forwarded.json()).toMatchObject({ address: '10.1.2.3', peer: '127.0.0.1', forwarded_for: '10.1.2.3' });
  const page = await signedIn('admin');
  await visit(page, '/networks', 'Networks');
  const row = page.getByRole('listitem').filter({ hasText: 'office' });
  await row.getByText('Refused', { exact: true }).waitFor();
  await page.getByRole('textbox', { name: 'Address' }).fill('::ffff:10.1.2.3');
  await row.getByText('Admitted', { exact: true }).waitFor();
  await page.getByRole('textbox', { name: 'Address' }).fill('10.1.2');
  await page.getByText('Write one address').waitFor();
  await page.context().close();
}, 60_000);

const phone = { viewport: { width: 390, height: 844 }, hasTouch: true };
/** Where pictures are wanted, of both looks at both widths. */
const looks: readonly BrowserContextOptions[] = [
  { colorScheme: 'light' }, { colorScheme: 'dark', ...phone }, ...(pictures === undefined ? [] : [{ colorScheme: 'dark' }, { colorScheme: 'light', ...phone }] as const),
];
test.for(looks.map((look) => ({ look, colours: look.colorScheme, width: look.viewport?.width ?? 1280 })))('every Access page is accessible in $colours colours at $width pixels', { timeout: 240_000 }, async ({ look, colours, width }) => {
  const name = `axel.${colours}-${width}`;
  await admin.json('POST', '/api/v1/principals', { principal: name, role: 'user', networks: ['10.0.0.0/8', '127.0.0.0/8'], permissions: ['view_audit'] });
  await admin.json('POST', '/api/v1/tokens', { principal: name, expires_in: 3_600, permissions: ['read_content'] });
  await admin.json('POST', '/api/v1/grants', { cid, expires_in: 3_600, uses: 3 });
  const page = await signedIn('admin', look);
  const check = async (what: string): Promise<void> => {
    await page.waitForTimeout(300);
    if (pictures !== undefined) await page.screenshot({ path: path.join(pictures, `${what}-${width}-${colours}.png`), fullPage: true });
    const { violations } = await new AxeBuilder({ page }).withTags(wcag).analyze();
    expect(violations.map(({ id, nodes }) => `${what}: ${id}: ${nodes[0]?.html ?? ''}`)).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth'), `${what} is wider than the window`).toBeLessThanOrEqual(0);
    const here = await page.locator('nav[aria-label=Access] [data-status=active]').boundingBox();
    expect(here !== null && here.x >= 0 && here.x + here.width <= width, `${what}: where one is stands in sight`).toBe(true);
  };
  await visit(page, '/principals', 'Principals');
  await page.getByRole('link', { name, exact: true }).waitFor();
  await check('principals');
  await page.getByRole('button', { name: 'Add a principal' }).click();
  await page.getByRole('textbox', { name: 'Networks' }).fill('nonsense');
  await check('add-principal');
  await visit(page, `/principals/${name}`, name);
  await page.getByRole('heading', { name: `What ${name} can do` }).waitFor();
  await page.getByRole('link', { name: 'Simulate content.read', exact: true }).waitFor();
  await check('principal');
  await page.getByRole('button', { name: 'Rotate the key' }).click();
  await check('rotate');
  await page.getByRole('button', { name: 'Make a new key' }).click();
  await page.getByRole('heading', { name: 'The new key' }).waitFor();
  await check('key');
  await page.getByRole('button', { name: 'Done', exact: true }).click();
  await page.getByRole('button', { name: 'Delete…' }).click();
  await check('delete');
  await visit(page, '/roles?role=operator', 'Roles');
  await page.getByRole('heading', { name: 'The role operator', exact: true }).waitFor();
  await page.getByRole('link', { name: 'Simulate content.read', exact: true }).waitFor();
  await check('roles');
  await visit(page, `/tokens?owner=${name}`, 'Tokens');
  await page.getByRole('button', { name: /^Revoke the token/ }).waitFor();
  await check('tokens');
  await page.getByRole('button', { name: 'Issue a token', exact: true }).click();
  await check('issue-token');
  await visit(page, '/grants', 'Grants');
  await page.getByRole('button', { name: 'Revoke all', exact: true }).waitFor();
  await check('grants');
  await visit(page, '/sessions', 'Sessions');
  await page.getByText('This browser').waitFor();
  await check('sessions');
  await visit(page, '/networks', 'Networks');
  await page.getByText('Admitted').first().waitFor();
  await check('networks');
  await visit(page, '/simulator', 'Simulator');
  await page.getByText('May somebody do something?').waitFor();
  await check('simulator');
  await visit(page, `/simulator?principal=${name}&action=content.read&object=${cid}&address=192.0.2.7`, 'Simulator');
  await page.getByText(`${name} may not do this.`).waitFor();
  await check('verdict');
  await visit(page, '/audit', 'Audit');
  await page.getByRole('button', { name: 'Verify', exact: true }).click();
  await page.getByText('The log is intact').waitFor();
  await page.getByText('Object, address, words, time').click();
  await check('audit');
  await page.getByRole('list', { name: 'Events' }).getByRole('button').first().click();
  await page.getByText('In the chain').waitFor();
  await page.getByText('As JSON').click();
  await check('event');
  await visit(page, '/keys', 'Signing keys');
  await page.getByRole('button', { name: 'Rotate: Tokens' }).click();
  await check('keys');
  await page.context().close();
});

test('every permission has its place in the table of roles, once, with what it means', () => {
  const groups = groupPermissions(permissions);
  const shown = groups.flatMap((group) => group.permissions);
  expect(shown.map(({ name }) => name).toSorted()).toEqual([...permissions].toSorted());
  expect(shown.filter(({ means }) => means === '')).toEqual([]);
  expect(groupPermissions(['read_content', 'of_tomorrow']).at(-1)).toEqual({ title: 'Other', permissions: [{ name: 'of_tomorrow', means: '' }] });
});

test('nothing broke the policy of the pages or failed in them', () => {
  expect(offences).toEqual([]);
});
