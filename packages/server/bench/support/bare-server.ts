/**
 * The baseline: bare node:http that sends the same answer, header by header, after the same HMAC over the same canonical string; without the
 * headers of a signature it checks nothing. Nothing else: no limit, no rights, no key but one. Prints its port.
 */
import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto';
import http from 'node:http';
import { digestOfBody } from '@weir/security/request-signing/dffmpeg';

const key = createSecretKey(Buffer.from(process.env['BENCH_KEY'] ?? '', 'base64'));
const empty = digestOfBody(Buffer.alloc(0));
// Written by the bench: names and values in turns, and the body.
const { headers, body } = JSON.parse(process.env['BENCH_ANSWER'] ?? '') as { headers: string[]; body: string };
const server = http.createServer((request, response) => {
  const { 'x-dffmpeg-timestamp': timestamp, 'x-dffmpeg-signature': signature } = request.headers;
  if (typeof timestamp === 'string' && typeof signature === 'string') {
    const mac = createHmac('sha256', key).update(`${request.method}|${request.url}|${timestamp}|${empty}`).digest();
    const given = Buffer.from(signature, 'base64');
    if (given.length !== 32 || !timingSafeEqual(mac, given) || Math.abs(Date.now() / 1_000 - Number(timestamp)) > 30) {
      response.writeHead(401).end();
      return;
    }
  }
  response.writeHead(200, headers).end(body);
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`${JSON.stringify(server.address())}\n`));
process.stdin.resume().once('end', () => process.exit(0));
