// The login: kept in memory, or in the tab's own storage when asked for.

import { ask, basic, Problem, setLogin } from './api.js';
import { h, show } from './dom.js';

const state = { way: 'password', problem: null, working: false };

/** Shows the form; `onDone` is called after the agent has accepted a login. `why` says why it is asked for again. */
export function showLogin(parent, { onDone, why = null }) {
  Object.assign(state, { problem: why, working: false });
  render(parent, onDone);
  parent.querySelector('input:not([type=radio])')?.focus();
}

export function hideLogin(parent) {
  show(parent);
}

function render(parent, onDone) {
  const byPassword = state.way === 'password';
  const way = (value, label) =>
    h(
      'label',
      { class: 'choice' },
      h('input', {
        type: 'radio',
        name: 'way',
        value,
        checked: state.way === value,
        on: {
          change: () => {
            state.way = value;
            render(parent, onDone);
          },
        },
      }),
      h('span', null, label),
    );
  const field = (name, label, type, autocomplete) =>
    h(
      'label',
      { class: 'field', key: name },
      h('span', null, label),
      h('input', {
        name,
        type,
        autocomplete,
        required: true,
        maxlength: 1000,
        autocapitalize: 'off',
        spellcheck: 'false',
      }),
    );
  show(
    parent,
    h(
      'form',
      { class: 'login', 'aria-labelledby': 'login-title', on: { submit: (event) => submit(event, parent, onDone) } },
      h('h2', { id: 'login-title' }, 'Log in'),
      h(
        'fieldset',
        { class: 'row' },
        h('legend', { class: 'unseen' }, 'With what'),
        way('password', 'User and password'),
        way('token', 'Token'),
      ),
      byPassword
        ? [field('user', 'User', 'text', 'username'), field('password', 'Password', 'password', 'current-password')]
        : field('token', 'Token', 'password', 'off'),
      h(
        'p',
        { class: 'aside', key: 'hint' },
        byPassword
          ? 'The agents’ own MySQL account: mysql.admin and mysql.passwd of xenon.json.'
          : 'One that the agent’s configuration names.',
      ),
      h(
        'label',
        { class: 'choice', key: 'keep' },
        h('input', { type: 'checkbox', name: 'keep' }),
        h('span', null, 'Keep it in this tab until it is closed'),
      ),
      !isSafe() &&
        h(
          'p',
          { class: 'note warn', key: 'plain' },
          'This connection is not encrypted: whoever can listen on the way reads the login.',
        ),
      h('div', { role: 'alert', key: 'problem' }, state.problem && h('p', { class: 'note bad' }, state.problem)),
      h(
        'button',
        { type: 'submit', class: 'primary', key: 'go', disabled: state.working },
        state.working ? 'Asking…' : 'Log in',
      ),
    ),
  );
}

function isSafe() {
  return window.isSecureContext || /^(127\.|localhost$|\[::1\]$)/.test(location.hostname);
}

async function submit(event, parent, onDone) {
  event.preventDefault();
  if (state.working) return;
  const data = new FormData(event.target);
  const text = (name) => String(data.get(name) ?? '');
  const token = text('token').trim();
  // A header holds no other signs.
  const header =
    state.way === 'token'
      ? /^[\x21-\x7e]+$/.test(token)
        ? `Bearer ${token}`
        : null
      : basic(text('user'), text('password'));
  if (header === null) {
    state.problem = 'A token has letters, digits and signs only, and no spaces.';
    render(parent, onDone);
    return;
  }
  Object.assign(state, { working: true, problem: null });
  render(parent, onDone);
  try {
    await ask('/api/v1/status', { login: header });
    setLogin(header, data.get('keep') !== null);
    state.working = false;
    onDone();
  } catch (error) {
    Object.assign(state, { working: false, problem: sentence(error) });
    render(parent, onDone);
    parent.querySelector(state.way === 'token' ? '[name=token]' : '[name=password]')?.select();
  }
}

function sentence(error) {
  if (!(error instanceof Problem)) return 'The agent’s answer was not understood.';
  if (error.status === 401) return state.way === 'token' ? 'This token is not known here.' : 'Wrong user or password.';
  if (error.status === 429) return 'Too many attempts: wait a moment, and try again.';
  return error.cure ? `${error.message} What to try: ${error.cure}` : error.message;
}
