// Keeps asking without piling questions up: the next one goes out when the last one is answered, later and later while
// nothing answers.

import { ask, open, Problem } from './api.js';

/** While the page is in the background it is enough to look now and then. */
const HIDDEN_MS = 10_000;
const LONGEST_BACKOFF_MS = 10_000;
/** An agent says something every 5 s. A stream that says nothing for so long is opened anew; a dead network tells nobody. */
const SILENT_MS = 16_000;
/** One line of a stream, characters; what sends more is no event stream of ours. */
const LONGEST_LINE = 1_000_000;

/** The pause after so many failures in a row: doubled each time, and spread, so that many pages do not come at once. */
export function backoff(failures, random = Math.random()) {
  const whole = Math.min(LONGEST_BACKOFF_MS, 500 * 2 ** Math.min(failures, 10));
  return whole / 2 + (whole / 2) * random;
}

/** Asks one address for ever. */
export class Poller {
  constructor(path, { everyMs, deadlineMs, onAnswer, onProblem }) {
    Object.assign(this, { path, everyMs, deadlineMs, onAnswer, onProblem });
    this.failures = 0;
    this.running = false;
    this.timer = null;
    this.nextAt = null;
    this.round = 0;
  }

  start() {
    this.running = true;
    this.kick();
  }

  stop() {
    this.running = false;
    this.round += 1;
    clearTimeout(this.timer);
    this.timer = null;
  }

  /** Asks now, unless a question is on its way. */
  kick() {
    if (!this.running || this.busy) return;
    clearTimeout(this.timer);
    this.timer = null;
    this.once();
  }

  async once() {
    const round = this.round;
    this.busy = true;
    this.nextAt = null;
    const began = performance.now();
    let pause;
    try {
      const { value, role } = await ask(this.path, { deadlineMs: this.deadlineMs });
      if (round !== this.round) return;
      this.failures = 0;
      const took = performance.now() - began;
      // When it was asked, not when the answer came: what a slow agent tells is as old as the question.
      this.onAnswer(value, { at: began, tookMs: took, role });
      // A slow agent is asked less often.
      pause = Math.max(this.everyMs, took);
    } catch (error) {
      if (round !== this.round) return;
      this.failures += 1;
      this.onProblem(
        error instanceof Problem
          ? error
          : new Problem({ title: 'Unexpected answer', detail: String(error?.message ?? error) }),
      );
      pause = Math.max(error.retryAfterMs ?? 0, backoff(this.failures));
    } finally {
      this.busy = false;
    }
    if (!this.running || round !== this.round) {
      if (this.running) this.kick();
      return;
    }
    if (document.hidden) pause = Math.max(pause, HIDDEN_MS);
    this.nextAt = performance.now() + pause;
    this.timer = setTimeout(() => this.once(), pause);
  }
}

/**
 * The events of the asked agent, as they happen: its stream, and plain questions where a stream does not come through (a
 * proxy that collects answers, an agent that has too many of them).
 */
export class EventFeed {
  constructor({ onEvents, onState }) {
    Object.assign(this, { onEvents, onState });
    this.after = 0;
    this.agent = null;
    this.round = 0;
  }

  start() {
    this.round += 1;
    this.loop(this.round);
  }

  stop() {
    this.round += 1;
    this.controller?.abort();
  }

  async loop(round) {
    let failures = 0;
    while (round === this.round) {
      let streamed = false;
      try {
        await this.page(round);
        if (round !== this.round) return;
        streamed = await this.stream(round);
        if (round !== this.round) return;
        failures = 0;
        if (!streamed) this.onState('polling');
      } catch (error) {
        if (round !== this.round || error.status === 401) return;
        failures += 1;
        this.onState('waiting');
      }
      const pause = failures > 0 ? backoff(failures) : streamed ? 500 : 2_000;
      await new Promise((resolve) => setTimeout(resolve, document.hidden ? Math.max(pause, HIDDEN_MS) : pause));
    }
  }

  /** What there is, and what a stream has missed. A restarted agent may count its events anew, so it is asked for all of them. */
  async page(round) {
    for (let pages = 0; pages < 20; pages += 1) {
      const { value } = await ask(`/api/v1/events?after=${this.after}&limit=500`);
      if (round !== this.round) return;
      const restarted = this.agent !== null && this.agent !== value.agent_started_unix_ms;
      this.agent = value.agent_started_unix_ms;
      if (restarted && this.after > 0) {
        this.after = 0;
        continue;
      }
      this.take(value.events, Boolean(value.gap) && this.after > 0);
      if (value.events.length < 500) return;
    }
  }

  take(events, gap = false) {
    const fresh = events.filter((event) => Number.isSafeInteger(event?.seq) && event.seq > this.after);
    if (fresh.length > 0) this.after = fresh[fresh.length - 1].seq;
    if (fresh.length > 0 || gap) this.onEvents(fresh, { gap });
  }

  /** True when it was a stream that ended, false when there is none to be had. */
  async stream(round) {
    this.controller = new AbortController();
    const { signal } = this.controller;
    let response;
    try {
      const headers = { Accept: 'text/event-stream', 'Last-Event-ID': String(this.after) };
      response = await within(open('/api/v1/events/stream', { headers, signal }), 10_000, () =>
        this.controller.abort(),
      );
    } catch (error) {
      if (error.status === 401 || error.status === 0) throw error;
      return false;
    }
    if (!(response.headers.get('content-type') ?? '').startsWith('text/event-stream')) {
      this.controller.abort();
      return false;
    }
    this.onState('live');
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new StreamParser();
    try {
      for (;;) {
        const { done, value } = await within(reader.read(), SILENT_MS, () => this.controller.abort());
        if (done || round !== this.round) return true;
        this.take(parser.push(value));
      }
    } finally {
      this.controller.abort();
    }
  }
}

async function within(promise, ms, otherwise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      otherwise();
      reject(new Problem({ title: 'No answer', detail: 'The stream of events is silent.' }));
    }, ms);
  });
  // What is given up still ends, and nobody is there to hear it.
  promise.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Takes a stream of server-sent events apart; gives the JSON of whole ones. */
export class StreamParser {
  constructor() {
    this.rest = '';
    this.data = [];
  }

  push(text) {
    this.rest += text;
    const lines = this.rest.split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop();
    if (this.rest.length > LONGEST_LINE)
      throw new Problem({ title: 'Unexpected answer', detail: 'a line of the event stream has no end' });
    const events = [];
    for (const line of lines) {
      if (line === '') {
        const event = whole(this.data.join('\n'));
        if (event) events.push(event);
        this.data = [];
      } else if (line.startsWith('data:')) {
        this.data.push(line.slice(5).replace(/^ /, ''));
      }
    }
    return events;
  }
}

function whole(data) {
  if (data === '') return null;
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}
