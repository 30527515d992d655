// The top of the page: which cluster, how it is, how old that is, and what went wrong.

import { h, show } from './dom.js';
import { cut, number, span } from './format.js';
import { said } from './outcome.js';

const at = (id) => document.getElementById(id);

/** The states of the cluster, and how old what is shown is. `age` in milliseconds, null when there was no answer yet. */
export function renderHead(state, { age, current }) {
  const { cluster } = state;
  const name = cluster.id ? `cluster ${cluster.id.slice(0, 8)}` : '';
  show(
    at('cluster'),
    name,
    cluster.term > 0 && ` · term ${number(cluster.term)}`,
    state.asked && ` · asked: ${state.asked}`,
  );
  const words = state.link.at === null ? [{ level: 'off', word: 'NOT KNOWN', text: 'no answer yet' }] : cluster.states;
  at('states').classList.toggle('many', words.length > 1);
  show(
    at('states'),
    h(
      'ul',
      null,
      words.map((one) =>
        h(
          'li',
          { key: one.word, class: one.level, title: one.text },
          h('strong', null, one.word),
          h('span', null, cut(one.text, 160)),
        ),
      ),
    ),
  );
  const text = age === null ? 'no answer yet' : age < 2_500 ? 'up to date' : `last answer ${span(age / 1000)} ago`;
  show(
    at('link'),
    h(
      'span',
      { class: current ? (age < 2_500 ? 'good' : 'late') : 'lost' },
      h('span', { 'aria-hidden': 'true' }, current ? '● ' : '✕ '),
      text,
    ),
    state.link.tookMs >= 1_500 &&
      current &&
      h('span', { class: 'late' }, ` (answers take ${span(state.link.tookMs / 1000)})`),
  );
  document.title = `${words[0].word} · Xenon`;
}

/** Notices, and what is wrong with the connection. `status` is the poller that may be told to try now. */
export function renderBanner(state, { age, current, status, draw }) {
  const parts = state.notices.map((one) =>
    h(
      'div',
      { key: one.key, class: `note ${one.level}` },
      h('p', null, one.text),
      h(
        'button',
        {
          type: 'button',
          class: 'small',
          on: {
            click: () => {
              state.notices = state.notices.filter((other) => other !== one);
              draw();
            },
          },
        },
        'Dismiss',
      ),
    ),
  );
  const { problem } = state.link;
  if (problem && !current) {
    const next =
      status.nextAt === null
        ? 'trying now'
        : `next try in ${span(Math.ceil((status.nextAt - performance.now()) / 1000))}`;
    parts.unshift(
      h(
        'div',
        { key: 'link', class: 'note bad lost' },
        h(
          'p',
          null,
          h(
            'strong',
            null,
            age === null ? 'No answer. ' : `Not current: the last answer came ${span(age / 1000)} ago. `,
          ),
          said(problem),
          ` (${next})`,
        ),
        h('button', { type: 'button', class: 'small', on: { click: () => status.kick() } }, 'Try now'),
        elsewhere(state),
      ),
    );
  }
  show(at('banner'), parts);
}

/** The other nodes' dashboards, supposed that they listen on the same port. */
function elsewhere(state) {
  const links = state.cluster.ids
    .filter((id) => id !== state.asked)
    .map((id) => /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+):\d{1,5}$/i.exec(id)?.[1])
    .filter((host) => host && host.toLowerCase() !== location.hostname.toLowerCase())
    .map((host) => `${location.protocol}//${host}${location.port ? `:${location.port}` : ''}/`);
  if (links.length === 0) return null;
  return h(
    'p',
    null,
    'The dashboards of the other nodes: ',
    [...new Set(links)]
      .slice(0, 20)
      .map((link, index) => [index > 0 ? ', ' : '', h('a', { key: link, href: link, rel: 'noreferrer' }, link)]),
  );
}

const THEMES = ['auto', 'light', 'dark'];
/** What is chosen: auto is what the system says. */
export function theme() {
  return document.documentElement.dataset.theme ?? 'auto';
}

/** Chooses the next one, and keeps the choice. */
export function nextTheme() {
  const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
  if (next === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem('xenon-theme', next);
  } catch {
    // Then it is for this visit only.
  }
}
