// What is asked of the agent, and how: with a login, a deadline, and an error that says what to try.

/** An answer is waited for so long, milliseconds, unless said otherwise. */
const DEADLINE_MS = 5_000;
const KEPT = 'xenon-login';

/** What went wrong, for people. `status` is that of HTTP, 0 when nothing answered. */
export class Problem extends Error {
  constructor({ title, detail = '', cure = '', ask = null, status = 0, retryAfterMs = null }) {
    super(detail || title);
    Object.assign(this, { title, detail, cure, ask, status, retryAfterMs });
  }
}

let authorization = null;
let onLoginRefused = () => {};

/** Takes up a login that this tab has kept. */
export function restoreLogin() {
  try {
    authorization = sessionStorage.getItem(KEPT);
  } catch {
    authorization = null;
  }
  return authorization !== null;
}

export function basic(user, password) {
  let binary = '';
  for (const byte of new TextEncoder().encode(`${user}:${password}`)) binary += String.fromCharCode(byte);
  return `Basic ${btoa(binary)}`;
}

export function setLogin(header, keep) {
  authorization = header;
  try {
    if (keep && header !== null) sessionStorage.setItem(KEPT, header);
    else sessionStorage.removeItem(KEPT);
  } catch {
    // Then it is in memory only.
  }
}

/** Called when a login that was good is refused. */
export function whenLoginRefused(callback) {
  onLoginRefused = callback;
}

/**
 * GET without `method`; JSON in, JSON out.
 * @throws {Problem}
 */
export async function ask(path, { method = 'GET', body, deadlineMs = DEADLINE_MS, login, signal } = {}) {
  const response = await request(path, { method, body, deadlineMs, login, signal });
  try {
    return { value: await response.json(), role: response.headers.get('xenon-role') };
  } catch (error) {
    throw nothing(error, deadlineMs);
  }
}

/** The answer's body as it comes; without a deadline, ended by `signal`. */
export async function open(path, { headers = {}, signal }) {
  return request(path, { headers, signal, deadlineMs: null });
}

async function request(path, { method = 'GET', body, headers = {}, deadlineMs, login, signal }) {
  const header = login ?? authorization;
  const all = { ...headers };
  if (header !== null) all.Authorization = header;
  if (method !== 'GET') all['Content-Type'] = 'application/json';
  const signals = [signal, deadlineMs === null ? null : AbortSignal.timeout(deadlineMs)].filter(Boolean);
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: all,
      body: method === 'GET' || body === undefined ? undefined : JSON.stringify(body),
      // The login is in the header. Nothing of the browser's own goes along, and it asks for no password in a window of its own.
      credentials: 'omit',
      cache: 'no-store',
      redirect: 'error',
      signal: either(signals),
    });
  } catch (error) {
    throw nothing(error, deadlineMs);
  }
  if (response.ok) return response;
  const problem = await read(response);
  if (problem.status === 401 && login === undefined) onLoginRefused();
  throw problem;
}

function either(signals) {
  if (signals.length < 2) return signals[0];
  const controller = new AbortController();
  for (const signal of signals) {
    if (signal.aborted) controller.abort(signal.reason);
    signal.addEventListener('abort', () => controller.abort(signal.reason), { once: true });
  }
  return controller.signal;
}

function nothing(error, deadlineMs) {
  if (error instanceof Problem) return error;
  if (error?.name === 'TimeoutError') {
    return new Problem({
      title: 'No answer',
      detail: `The agent did not answer within ${deadlineMs / 1000} s.`,
      cure: 'look at its log, and at its disk',
    });
  }
  if (error?.name === 'AbortError') return new Problem({ title: 'Given up', detail: 'Given up.' });
  return new Problem({
    title: 'No answer',
    detail: 'The agent cannot be reached.',
    cure: 'see whether it runs on its host, or open the dashboard of another node',
  });
}

async function read(response) {
  const retry = Number(response.headers.get('retry-after'));
  const known = { status: response.status, retryAfterMs: retry > 0 ? Math.min(retry, 60) * 1000 : null };
  try {
    const said = await response.json();
    const text = (value) => (typeof value === 'string' ? value : '');
    return new Problem({
      ...known,
      title: text(said.title) || `HTTP ${response.status}`,
      detail: text(said.detail),
      cure: text(said.cure),
      ask: text(said.ask) || null,
    });
  } catch {
    return new Problem({
      ...known,
      title: `HTTP ${response.status}`,
      detail: `The agent answered with HTTP ${response.status}.`,
    });
  }
}
