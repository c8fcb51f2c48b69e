// A small hub: the routes of huggingface.co that fetching a model needs, with ways to fail. Large files are redirected to a second
// server, as the hub does with its file store.

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const COMMIT = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00';

export interface HubServer extends AsyncDisposable {
  url: string;
  /** Each request as "METHOD host-role path", with the range that it asked for. */
  requests: string[];
  /** What the hub does next; change it at any time. */
  behaviour: {
    /** Bytes after which the store drops a connection, one entry a request. */
    cutAfter: number[];
    /** Bytes that differ from what was announced. */
    damage: boolean;
    /** The store answers a range with the whole file. */
    ignoreRange: boolean;
    /** The token that is needed. */
    token: string | null;
    commit: string;
    /** The hub, not its store, answers everything with this status. */
    status: number | null;
    /** Another name that the hub redirects from. */
    renamedFrom: string | null;
  };
}

const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
const gitHash = (data: Buffer): string => createHash('sha1').update(`blob ${data.length}\0`).update(data).digest('hex');

/** Serves the model `name` with `files`; those of safetensors are in large-file storage. */
export async function startHub(name: string, files: Record<string, Buffer>): Promise<HubServer> {
  const requests: string[] = [];
  const behaviour: HubServer['behaviour'] = { cutAfter: [], damage: false, ignoreRange: false, token: null, commit: COMMIT, status: null, renamedFrom: null };
  const note = (role: string, request: IncomingMessage): void => {
    const path = request.url!.replace(/\?.*/, '');
    requests.push([request.method, role, path, request.headers.range].filter(Boolean).join(' '));
  };

  const sendFile = (role: 'hub' | 'store', request: IncomingMessage, response: ServerResponse, data: Buffer): void => {
    const sent = behaviour.damage ? Buffer.from(data.map((byte, i) => (i === data.length >> 1 ? byte ^ 1 : byte))) : data;
    const from = behaviour.ignoreRange ? 0 : Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const headers = { 'content-length': sent.length - from, ...(from > 0 && { 'content-range': `bytes ${from}-${sent.length - 1}/${sent.length}` }) };
    response.writeHead(from > 0 ? 206 : 200, headers);
    const cut = role === 'store' ? behaviour.cutAfter.shift() : undefined;
    if (cut === undefined) return void response.end(sent.subarray(from));
    response.write(sent.subarray(from, from + cut));
    response.flushHeaders();
    response.socket!.end(); // what was written arrives, then the connection ends
  };

  const store = await listen((request, response) => {
    note('store', request);
    if (request.headers.authorization !== undefined) return void response.writeHead(500).end('a token must not leave the hub');
    sendFile('store', request, response, Object.values(files).find((data) => request.url === `/${sha256(data)}`)!);
  });
  const hub = await listen((request, response) => {
    note('hub', request);
    const path = decodeURIComponent(request.url!.replace(/\?.*/, ''));
    if (behaviour.status !== null) return void response.writeHead(behaviour.status).end();
    if (behaviour.token !== null && request.headers.authorization !== `Bearer ${behaviour.token}`) return void response.writeHead(401).end();
    if (behaviour.renamedFrom !== null && path.includes(`/${behaviour.renamedFrom}/`)) {
      return void response.writeHead(307, { location: request.url!.replace(behaviour.renamedFrom, name) }).end();
    }
    const api = /^\/api\/models\/(.+)\/revision\/(.+)$/.exec(path);
    if (api && api[1] === name && ['main', behaviour.commit].includes(api[2]!)) {
      const siblings = Object.keys(files).map((rfilename) => ({ rfilename }));
      return void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ id: name, sha: behaviour.commit, siblings }));
    }
    const data = path.startsWith(`/${name}/resolve/${behaviour.commit}/`) ? files[path.split('/').slice(name.split('/').length + 3).join('/')] : undefined;
    if (data === undefined) return void response.writeHead(404).end();
    if (path.endsWith('.safetensors')) {
      const headers = { location: `${urlOf(store)}/${sha256(data)}`, 'x-linked-etag': `"${sha256(data)}"`, 'x-linked-size': data.length, etag: '"of the redirect"' };
      return void response.writeHead(302, headers).end();
    }
    response.setHeader('etag', `"${gitHash(data)}"`);
    if (request.method === 'HEAD') response.writeHead(200, { 'content-length': data.length }).end();
    else sendFile('hub', request, response, data);
  });
  return {
    url: urlOf(hub),
    requests,
    behaviour,
    async [Symbol.asyncDispose]() {
      for (const server of [hub, store]) {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
      }
    },
  };
}

async function listen(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<Server> {
  const server = createServer(handler);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return server;
}

function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
