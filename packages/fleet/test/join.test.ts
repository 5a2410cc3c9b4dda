import { execFile } from 'node:child_process';
import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WeirError } from '@weir/contracts/errors';
import { builtinRoles } from '@weir/security/roles';
import { temporaryFolder } from '../../data/test/support/temporary.ts';
import { acceptJoin, createInvite, inviteLink } from '../src/coordinator/invites.ts';
import { joinWorker, parseInviteLink } from '../src/worker/join.ts';
import { readProfile } from '../src/worker/profile.ts';
import { openServerLink } from '../src/worker/server-link.ts';
import { startFleet } from './support/fleet.ts';
import { runs } from './support/rows.ts';
import { sqlite } from './support/sqlite.ts';
import { reversing, startWorker } from './support/workers.ts';

async function certificate(): Promise<{ key: string; cert: string; fingerprint: string }> {
  await using folder = await temporaryFolder();
  await promisify(execFile)('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=weir', '-keyout', folder.join('key'), '-out', folder.join('cert')]);
  const [key, cert] = [await readFile(folder.join('key'), 'utf8'), await readFile(folder.join('cert'), 'utf8')];
  return { key, cert, fingerprint: createHash('sha256').update(new X509Certificate(cert).raw).digest('hex') };
}

test('an invited worker joins with a key of its own, pins the certificate, and works', async () => {
  await using engine = await sqlite();
  const tls = await certificate();
  await using fleet = await startFleet(engine.data, { tls });
  await using home = await temporaryFolder();
  const { secret } = await createInvite(engine.data, 'root', Date.now());
  const path = await joinWorker(inviteLink(fleet.url.href, tls.fingerprint, secret), 'attic', home.path);
  expect(path).toBe(home.join('worker-attic.json'));
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  const { name, address, credentials } = await readProfile(path);
  expect(await engine.data.read.selectFrom('principal').select(['kind', 'role']).where('id', '=', 'attic').execute()).toEqual([{ kind: 'worker', role: 'worker' }]);
  const input = await fleet.upload('alice', Buffer.from('abc'));
  const job = await fleet.submit('alice', { arguments: ['-i', '{in:0}', '{out:a.mp4}'], inputs: [{ cid: input.cid }], outputs: ['a.mp4'] });
  await using _worker = startWorker(fleet, name, reversing, { ...address, credentials });
  expect(await fleet.ended(job.job_id)).toMatchObject({ state: 'completed', worker: 'attic' });
});

test('an invitation works once, for ten minutes, and not for a name that is taken', async () => {
  await using engine = await sqlite();
  await using fleet = await startFleet(engine.data);
  await using home = await temporaryFolder();
  const link = async (at: number) => inviteLink(fleet.url.href, null, (await createInvite(engine.data, 'root', at)).secret);
  const first = await link(Date.now());
  const raced = await Promise.allSettled(Array.from({ length: 8 }, (_, i) => joinWorker(first, `w${i}`, home.path)));
  expect(raced.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
  expect(raced.find((result) => result.status === 'rejected')?.reason).toMatchObject({ code: 'invite.invalid' });
  await expect(joinWorker(await link(Date.now() - 600_001), 'late', home.path)).rejects.toMatchObject({ code: 'invite.invalid' });
  const winner = raced.findIndex((result) => result.status === 'fulfilled');
  const second = await link(Date.now());
  await expect(joinWorker(second, `w${winner}`, home.path)).rejects.toMatchObject({ code: 'worker.name_taken' });
  await joinWorker(second, 'free', home.path);
});

test('a worker can not join with a key under which anybody could sign, and its invitation stays good', async () => {
  await using engine = await sqlite();
  const { secret } = await createInvite(engine.data, 'root', Date.now());
  const join = (key: string): Promise<void> => acceptJoin(engine.data, builtinRoles, { token: secret, name: 'attic', public_key: key }, Date.now());
  // The neutral point of edwards25519, one of order 8, and a number beyond the field.
  for (const hex of [`01${'00'.repeat(31)}`, 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', `ed${'ff'.repeat(31)}`]) await expect(join(Buffer.from(hex, 'hex').toString('base64url'))).rejects.toMatchObject({ code: 'request.invalid' });
  expect(await engine.data.read.selectFrom('principal').select('id').where('id', '=', 'attic').execute()).toEqual([]);
  await join(String(generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }).x));
});

test('no byte of a request reaches a server with another certificate', async () => {
  await using engine = await sqlite();
  const [real, other] = [await certificate(), await certificate()];
  await using fleet = await startFleet(engine.data, { tls: other });
  await using home = await temporaryFolder();
  const { secret } = await createInvite(engine.data, 'root', Date.now());
  await expect(joinWorker(inviteLink(fleet.url.href, real.fingerprint, secret), 'w', home.path)).rejects.toMatchObject({ code: 'server.unreachable', message: expect.stringContaining('certificate') });
  expect(fleet.state.requests).toBe(0);
  await expect(joinWorker(inviteLink(fleet.url.href, other.fingerprint, secret), 'w', home.path)).resolves.toContain('worker-w.json');
});

test('secrets travel in the clear only to this machine or into a named network', () => {
  const open = (server: string, plaintextNetworks: string[] = []) => openServerLink({ server: new URL(server), plaintextNetworks })[Symbol.dispose]();
  for (const fine of ['http://127.0.0.1:1', 'http://[::1]:1', 'http://localhost:1', 'https://weir.example']) open(fine);
  for (const bad of ['http://weir.example', 'http://10.0.0.1', 'http://localhost.evil.example', 'ftp://127.0.0.1', 'http://0.0.0.0']) {
    expect(() => open(bad)).toThrow(expect.objectContaining({ code: 'config.invalid' }));
  }
  open('http://10.0.0.1', ['10.0.0.0/8']);
  expect(() => open('http://11.0.0.1', ['10.0.0.0/8'])).toThrow(WeirError);
});

test('an invitation that is not whole is refused without repeating it', () => {
  const token = 'A'.repeat(43);
  expect(parseInviteLink(`https://h:1#${'a'.repeat(64)}:${token}`)).toEqual({ server: new URL('https://h:1'), fingerprint: 'a'.repeat(64), token });
  expect(parseInviteLink(`https://h#${token}`)).toEqual({ server: new URL('https://h'), fingerprint: null, token });
  for (const text of ['', 'x', `https://h#${'a'.repeat(63)}:${token}`, `http://h#${'a'.repeat(64)}:${token}`, `https://h#${'a'.repeat(64)}:${token}:x`, `ftp://h#${token}`]) {
    expect(() => parseInviteLink(text)).toThrow(expect.objectContaining({ code: 'invite.invalid', message: expect.not.stringContaining(token) }));
  }
  fc.assert(fc.property(fc.oneof(fc.string(), fc.webUrl({ withFragments: true })), (text) => {
    try { parseInviteLink(text); } catch (error) { expect(error).toMatchObject({ code: 'invite.invalid' }); }
  }), { numRuns: runs(500) });
});

test('a profile that is damaged or open to others is refused without showing its key', async () => {
  await using engine = await sqlite();
  await using fleet = await startFleet(engine.data);
  await using home = await temporaryFolder();
  const path = await joinWorker(inviteLink(fleet.url.href, null, (await createInvite(engine.data, 'root', Date.now())).secret), 'w', home.path);
  const text = await readFile(path, 'utf8');
  await chmod(path, 0o644);
  await expect(readProfile(path)).rejects.toMatchObject({ code: 'file.permissions' });
  await chmod(path, 0o600);
  await writeFile(path, text.slice(0, -20));
  await expect(readProfile(path)).rejects.toSatisfy((error) => error instanceof WeirError && error.code === 'config.invalid' && error.cause === undefined);
});
