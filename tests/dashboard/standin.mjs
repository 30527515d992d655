// A server that answers as an agent does, from a scene that a test makes: for states that real servers take minutes to get
// into, for slow and broken answers, and for names that no server has.

import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

const UI = fileURLToPath(new URL('../../crates/agent/ui/', import.meta.url));
const KINDS = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};
const HEADERS = {
  'Content-Security-Policy':
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
};
const LOGINS = {
  [`Basic ${Buffer.from('root:pass wörd').toString('base64')}`]: 'operate',
  'Bearer reading-token-0123': 'read',
};

/**
 * Listens on a free port of the loopback. The scene, which a test may change at any time:
 * `cluster` (the answer to /api/v1/cluster), `events`, `agentStarted`, `reports`, `explain`, `plan`, `refusal` (a problem for
 * everything that changes something), `delayMs`, `down` (connections are closed at once), `stream` (false: there is none),
 * `session` (false: not known).
 */
export async function standIn(scene) {
  const asked = [];
  const streams = new Set();
  const server = createServer((request, response) => {
    handle(request, response).catch((error) => {
      response.writeHead(500, HEADERS);
      response.end(String(error));
    });
  });

  // As agents do it: a stream is never silent for long.
  const beat = setInterval(() => {
    for (const response of streams) response.write(': quiet\n\n');
  }, 5_000);

  async function handle(request, response) {
    if (scene.down) return request.socket.destroy();
    const url = new URL(request.url, 'http://stand-in');
    let body = '';
    for await (const chunk of request) body += chunk;
    const send = (status, value, kind = 'application/json') => {
      response.writeHead(status, { ...HEADERS, 'Content-Type': kind, 'Cache-Control': 'no-store' });
      response.end(typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value));
    };
    const problem = (status, title, detail, cure) =>
      send(status, { title, status, detail, cure }, 'application/problem+json');
    if (url.pathname === '/' || url.pathname.startsWith('/ui/')) {
      const name = url.pathname === '/' ? 'index.html' : path.basename(url.pathname);
      try {
        return send(200, await readFile(UI + name), KINDS[path.extname(name)]);
      } catch {
        return problem(404, 'Not found', 'the dashboard has no such file', 'open / in a browser');
      }
    }
    asked.push({ method: request.method, path: url.pathname, body: body ? JSON.parse(body) : null, at: Date.now() });
    const role = LOGINS[request.headers.authorization];
    if (!role || scene.noLogin) return problem(401, 'Login needed', 'this login is not known', 'log in');
    if (scene.delayMs) await new Promise((resolve) => setTimeout(resolve, scene.delayMs));
    if (scene.garbage) return send(200, '<html>not what you think</html>', 'text/html');
    if (request.method !== 'GET') {
      if (role !== 'operate')
        return problem(
          403,
          'Not allowed',
          'this login may look, and change nothing',
          'use one with the role "operate"',
        );
      return change(url.pathname, request.method, body ? JSON.parse(body) : {}, send, problem);
    }
    switch (url.pathname) {
      case '/api/v1/session':
        if (scene.session === false) break;
        return send(200, { name: 'root', role, node: scene.cluster.nodes[0].id });
      case '/api/v1/status':
        return send(200, scene.cluster.nodes[0].status);
      case '/api/v1/cluster':
        return send(200, scene.cluster);
      case '/api/v1/explain':
        return send(200, scene.explain ?? { by: scene.cluster.nodes[0].id, nodes: [] });
      case '/api/v1/events': {
        const events = scene.events
          .filter((event) => event.seq > Number(url.searchParams.get('after') ?? 0))
          .slice(0, 500);
        return send(200, { events, agent_started_unix_ms: scene.agentStarted, gap: false });
      }
      case '/api/v1/events/stream':
        if (scene.stream === false) break;
        return stream(request, response);
      case '/api/v1/reports':
        return send(200, {
          reports: scene.reports.map(
            ({
              evidence,
              votes,
              phases,
              rescued,
              rescue_failed,
              quarantined,
              todo,
              events,
              aftermath,
              outage_at_most_ms,
              ...head
            }) => head,
          ),
        });
      default: {
        const id = /^\/api\/v1\/reports\/(.+)$/.exec(url.pathname)?.[1];
        const report = scene.reports.find((one) => one.id === id);
        if (report) return send(200, report);
      }
    }
    return problem(404, 'Not found', 'there is nothing at this path', 'look at the description');
  }

  function change(pathname, method, body, send, problem) {
    if (scene.refusal && !body.dry_run) return send(scene.refusal.status, scene.refusal, 'application/problem+json');
    if (pathname === '/api/v1/switchover' && body.dry_run)
      return send(200, { ...scene.plan, target: body.target ?? scene.plan.target });
    scene.onChange?.(pathname, method, body);
    const message = body.dry_run
      ? 'would copy 1.2 GiB from 10.0.0.3:8801 by CLONE; nothing has been changed'
      : `did ${method} ${pathname}`;
    return send(200, { ok: true, node: scene.cluster.nodes[0].id, message });
  }

  function stream(request, response) {
    response.writeHead(200, { ...HEADERS, 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    response.write('retry: 1000\n: events\n\n');
    const after = Number(request.headers['last-event-id'] ?? 0);
    for (const event of scene.events.filter((one) => one.seq > after)) write(response, event);
    streams.add(response);
    response.on('close', () => streams.delete(response));
  }

  function write(response, event) {
    response.write(`id: ${event.seq}\ndata: ${JSON.stringify(event)}\n\n`);
  }

  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    asked,
    streams,
    /** Something happens: into the list, and to whoever listens. */
    happen(kind, text, node = scene.cluster.nodes[0].id) {
      const event = { seq: (scene.events.at(-1)?.seq ?? 0) + 1, unix_ms: Date.now(), node, kind, text };
      scene.events.push(event);
      for (const response of streams) write(response, event);
      return event;
    },
    cutStreams() {
      for (const response of streams) response.destroy();
    },
    close() {
      clearInterval(beat);
      server.closeAllConnections();
      server.close();
    },
  };
}
