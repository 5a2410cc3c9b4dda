/** Signing in with passkeys and at a provider, and the account page, in a real Chromium with a virtual authenticator. */
import path from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildWebPage } from '../packages/server/src/web-build.ts';
import { startIdentityProvider, type IdentityProvider } from './support/identity-provider.ts';
import { freePort } from './support/raw-http.ts';
import { makeProofsStale } from './support/stale-proofs.ts';
import { startWeir, type TestWeir } from './support/weir.ts';

const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const wcag = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
/** A folder to leave pictures of the pages in, to look at. */
const pictures = process.env['WEIR_TEST_PICTURES'];

let weir: TestWeir;
let real: IdentityProvider;
let browser: Browser;
let home: string;
const offences: string[] = [];

beforeAll(async () => {
  await buildWebPage(() => undefined);
  const port = await freePort();
  home = `http://localhost:${port}`;
  real = await startIdentityProvider([`${home}/auth/oidc/corp/callback`]);
  weir = await startWeir({ environment: {
    WEIR_SERVER__PORT: String(port), WEIR_IDENTITY__OIDC: `[{ name = "corp", issuer = "${real.issuer}", allow_networks = ["127.0.0.1"], client_id = "weir", client_secret = "${real.clientSecret}" }]`,
  } });
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: flags });
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await weir?.[Symbol.asyncDispose]();
  await real?.[Symbol.asyncDispose]();
});

async function newContext(): Promise<BrowserContext> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
  context.setDefaultTimeout(15_000);
  await context.addInitScript({ content: "addEventListener('securitypolicyviolation', (e) => console.error('policy violation', e.violatedDirective, e.blockedURI, e.sample));" });
  context.on('console', (message) => {
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource') && message.page()?.url().startsWith(home) === true) offences.push(message.text());
  });
  context.on('weberror', (error) => offences.push(String(error.error())));
  return context;
}

/** An authenticator in the device, whose person agrees to everything. */
async function withAuthenticator(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send('WebAuthn.enable');
  await session.send('WebAuthn.addVirtualAuthenticator', {
    options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  });
}

const linkFor = async (name: string): Promise<string> => `${home}/sign-in#${(await (await weir.admin()).json<{ link: string }>('POST', `/api/v1/principals/${name}/sign-in-link`)).link.split('#')[1] ?? ''}`;

async function signedIn(name: string, role = 'user'): Promise<Page> {
  await (await weir.admin()).json('POST', '/api/v1/principals', { principal: name, role });
  const page = await (await newContext()).newPage();
  await withAuthenticator(page);
  await page.goto(await linkFor(name));
  await page.getByRole('heading', { level: 1, name: 'Home' }).waitFor();
  return page;
}

async function addPasskey(page: Page, name: string): Promise<void> {
  await page.goto(`${home}/account`);
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill(name);
  await page.getByRole('button', { name: 'Go on' }).click();
  await page.getByText(name, { exact: true }).waitFor();
}

async function signOut(page: Page): Promise<void> {
  await page.getByRole('button', { name: /^Account/ }).click();
  await page.getByRole('menuitem', { name: /Sign out/ }).click();
  await page.getByText('Open a sign-in link').waitFor();
}

test('a passkey is added, signs in without a name, is renamed and removed', async () => {
  const page = await signedIn('pia');
  await addPasskey(page, 'Laptop');
  await signOut(page);
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await page.getByRole('heading', { level: 1, name: 'Home' }).waitFor();
  await page.getByRole('button', { name: /^Account/ }).click();
  await page.getByRole('menuitem', { name: /Your account/ }).click();
  await page.getByText(/signed in by a passkey/).waitFor();
  await page.getByRole('button', { name: 'Rename Laptop' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill('Blue laptop');
  await page.getByRole('button', { name: 'Rename', exact: true }).click();
  await page.getByText('Blue laptop', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Remove Blue laptop' }).click();
  await page.getByText('This is your last way to sign in').waitFor();
  await page.getByRole('button', { name: 'Remove it all the same' }).click();
  await page.getByText('Blue laptop', { exact: true }).waitFor({ state: 'detached' });
  await page.context().close();
}, 60_000);

test('what needs a fresh proof asks for it, and is done once it was given', async () => {
  const page = await signedIn('stan');
  await addPasskey(page, 'Laptop');
  await makeProofsStale(weir.dataPath, 'stan');
  await page.getByRole('button', { name: 'Link corp' }).click();
  await page.getByRole('heading', { name: 'Is it still you?' }).waitFor();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('region', { name: 'Notifications' }).getByText('Nothing was linked').waitFor();
  real.person = { sub: 'stan-there' };
  await page.getByRole('button', { name: 'Link corp' }).click();
  await page.getByRole('button', { name: 'Use a passkey' }).click();
  await page.getByText(/stan-there · linked/).waitFor();
  expect(page.url()).toBe(`${home}/account`);
  await makeProofsStale(weir.dataPath, 'stan');
  await page.getByRole('button', { name: 'Remove Laptop' }).click();
  await page.getByLabel('New sign-in link').fill(await linkFor('stan'));
  await page.getByRole('button', { name: 'Go on with this link' }).click();
  await page.getByText('Laptop', { exact: true }).waitFor({ state: 'detached' });
  await page.context().close();
}, 60_000);

test('a person signs in at the provider, proves it there again, and an account that nobody linked is told what to do', async () => {
  const page = await signedIn('olga', 'user');
  real.person = { sub: 'olga-there' };
  await page.goto(`${home}/account`);
  await page.getByRole('button', { name: 'Link corp' }).click();
  await page.getByText(/olga-there · linked/).waitFor();
  await signOut(page);
  await page.getByRole('link', { name: 'Sign in with corp' }).click();
  await page.getByRole('heading', { level: 1, name: 'Home' }).waitFor();
  // The provider did not say when it last asked: adding a passkey asks for a proof.
  await page.goto(`${home}/account`);
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill('New');
  await page.getByRole('button', { name: 'Go on' }).click();
  await page.getByRole('button', { name: 'Sign in again at corp' }).click();
  await page.getByText('New', { exact: true }).waitFor();
  await page.context().close();
  const stranger = await (await newContext()).newPage();
  real.person = { sub: 'stranger' };
  await stranger.goto(`${home}/sign-in`);
  await stranger.getByRole('link', { name: 'Sign in with corp' }).click();
  await stranger.getByText('Nobody here is linked to that account').waitFor();
  await stranger.context().close();
}, 60_000);

test('the other browsers are listed and ended, and signing out everywhere ends this one too', async () => {
  const page = await signedIn('sam');
  const other = await (await newContext()).newPage();
  await other.goto(await linkFor('sam'));
  await other.getByRole('heading', { level: 1, name: 'Home' }).waitFor();
  await page.goto(`${home}/account`);
  await page.getByText('This browser').waitFor();
  await page.getByRole('button', { name: 'Sign out the others' }).click();
  await page.getByText('Signed out everywhere else').waitFor();
  await other.goto(`${home}/account`);
  await other.getByText('Open a sign-in link').waitFor();
  await page.getByRole('button', { name: 'Sign out everywhere' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Sign out everywhere' }).click();
  await page.getByText('Open a sign-in link').waitFor();
  await page.context().close();
  await other.context().close();
}, 60_000);

const looks = [{ colours: 'light', width: 1280 }, { colours: 'dark', width: 390 }] as const;
test.each(looks)('the pages are accessible in $colours colours at $width pixels', async ({ colours, width }) => {
  const page = await signedIn(`axel-${colours}`, 'admin');
  await addPasskey(page, 'Laptop');
  await page.emulateMedia({ colorScheme: colours });
  await page.setViewportSize({ width, height: 860 });
  const check = async (what: string): Promise<void> => {
    await page.waitForTimeout(400);
    if (pictures !== undefined) await page.screenshot({ path: path.join(pictures, `${what}-${colours}.png`), fullPage: true });
    const { violations } = await new AxeBuilder({ page }).withTags(wcag).analyze();
    expect(violations.map(({ id, nodes }) => `${what}: ${id}: ${nodes[0]?.html ?? ''}`)).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth'), `${what} is wider than the window`).toBeLessThanOrEqual(0);
  };
  await page.goto(`${home}/account?problem=linked_elsewhere`);
  await page.getByText('Laptop', { exact: true }).waitFor();
  await page.getByText('This browser').waitFor();
  await page.getByRole('button', { name: 'Link corp' }).waitFor();
  await check('account');
  await makeProofsStale(weir.dataPath, `axel-${colours}`);
  await page.getByRole('button', { name: 'Remove Laptop' }).click();
  await page.getByRole('button', { name: 'Use a passkey' }).waitFor();
  await check('step-up');
  await page.context().clearCookies();
  await page.goto(`${home}/sign-in?problem=unmapped`);
  await page.getByRole('link', { name: 'Sign in with corp' }).waitFor();
  await check('sign-in');
  await page.goto(`${home}/stepped-up?problem=expired`);
  await page.getByText('That did not work').waitFor();
  await check('stepped-up');
  await page.context().close();
}, 60_000);

test('nothing broke the policy of the page or failed in it', () => {
  expect(offences).toEqual([]);
});
