// What changes something: first what would happen, then a button that names it, then what came of it.

import { ask, Problem } from './api.js';
import { h, show } from './dom.js';
import { lag } from './format.js';
import { ROLES } from './model.js';
import { done, finish, problemNote, said } from './outcome.js';
import { CANCEL_REBUILD, REBUILD } from './rebuild.js';
import { behindWords } from './topology.js';

/** A change is answered within this, milliseconds, beside what it was told to wait. */
const CHANGE_MS = 30_000;
/** What an agent lets a switchover wait, seconds. */
const LONGEST_WAIT_S = 20;

/** One dialog, in which one thing at a time is done. */
export class Actions {
  constructor(dialog, { cluster, current, onChanged, onNotice, onReadOnly }) {
    Object.assign(this, { dialog, cluster, current, onChanged, onNotice, onReadOnly });
    this.now = null;
    dialog.addEventListener('close', () => {
      this.now = null;
      show(dialog);
    });
  }

  begin(now) {
    this.now = { step: 'form', form: {}, problem: null, result: null, plan: null, ...now };
    this.render();
    this.dialog.showModal();
  }

  switchover(target = '') {
    this.begin({ kind: SWITCHOVER, form: { target, wait: '0' } });
  }

  pause() {
    this.begin({ kind: PAUSE });
  }

  resume() {
    this.begin({ kind: RESUME });
  }

  rebuild(node) {
    this.begin({ kind: REBUILD, node, form: { from: '', method: '', throttle: '', force: false } });
  }

  cancelRebuild(node) {
    this.begin({ kind: CANCEL_REBUILD, node });
  }

  render() {
    const { now } = this;
    if (!now) return;
    const body = {
      form: () => now.kind.form(this, now),
      plan: () => now.kind.plan(this, now),
      done: () => now.kind.done(this, now),
    }[now.step]();
    const { content, buttons } = body;
    const current = this.current();
    show(
      this.dialog,
      h(
        'form',
        { method: 'dialog', class: 'action', key: now.step, on: { submit: (event) => this.submit(event) } },
        h('h2', { id: 'action-title', tabindex: '-1' }, now.kind.title(now)),
        !current &&
          now.step !== 'done' &&
          h('p', { class: 'note bad' }, 'What this page shows is not current: the agent does not answer.'),
        content,
        now.problem && problemNote(now.problem),
        h('p', { class: 'working', role: 'status' }, now.working ?? ''),
        h(
          'div',
          { class: 'dialog-buttons' },
          buttons,
          h(
            'button',
            { type: 'button', key: 'close', on: { click: () => this.dialog.close() } },
            now.step === 'done' || now.working ? 'Close' : 'Cancel',
          ),
        ),
      ),
    );
  }

  /** Enter in a field must not confirm anything. */
  submit(event) {
    event.preventDefault();
  }

  set(values) {
    Object.assign(this.now.form, values);
    this.render();
  }

  goTo(step) {
    Object.assign(this.now, { step, problem: null });
    this.render();
    this.dialog.querySelector('#action-title')?.focus();
  }

  /** Asks, and goes on to a step with the answer. What comes after the dialog was closed is told on the page. */
  async run(words, path, options, then) {
    const now = this.now;
    Object.assign(now, { working: words, problem: null });
    this.render();
    try {
      const { value } = await ask(path, { deadlineMs: CHANGE_MS, ...options });
      now.working = null;
      then(now, value);
      if (this.now !== now && now.step === 'done') this.onNotice('ok', `${now.kind.title(now)}: ${now.result}`);
    } catch (error) {
      now.working = null;
      now.problem =
        error instanceof Problem
          ? error
          : new Problem({ title: 'Unexpected answer', detail: String(error?.message ?? error) });
      // Nobody knows whether it was done: that has to be said, or it is done twice.
      if (now.problem.status === 0 && options.changes) {
        now.problem = new Problem({
          title: 'No answer',
          detail: `${now.problem.message} It may have been done all the same.`,
          cure: 'look at the topology before you try again',
        });
      }
      if (now.problem.status === 403) this.onReadOnly();
      if (this.now !== now) this.onNotice('bad', `${now.kind.title(now)}: ${said(now.problem)}`);
    }
    if (options.changes) this.onChanged();
    if (this.now === now) {
      this.render();
      this.dialog.querySelector(now.problem ? '.problem' : '#action-title')?.focus();
    }
  }

  confirm(label, run, { disabled = false, danger = true } = {}) {
    const off = disabled || Boolean(this.now.working) || !this.current();
    return h(
      'button',
      { type: 'button', key: 'confirm', class: danger ? 'danger' : 'primary', disabled: off, on: { click: run } },
      label,
    );
  }

  next(label, run) {
    return h(
      'button',
      {
        type: 'button',
        key: 'next',
        class: 'primary',
        disabled: Boolean(this.now.working) || !this.current(),
        on: { click: run },
      },
      label,
    );
  }

  back() {
    return h(
      'button',
      { type: 'button', key: 'back', disabled: Boolean(this.now.working), on: { click: () => this.goTo('form') } },
      'Back',
    );
  }
}

const SWITCHOVER = {
  title: () => 'Switch over to another primary',
  form(actions, now) {
    const cluster = actions.cluster();
    const others = cluster.nodes.filter((node) => node !== cluster.primary && node.role !== 'witness');
    const choice = (value, label, why, disabled) =>
      h(
        'label',
        { class: 'choice', key: `:${value}` },
        h('input', {
          type: 'radio',
          name: 'target',
          value,
          checked: now.form.target === value,
          disabled,
          on: { change: () => actions.set({ target: value }) },
        }),
        h('span', null, h('strong', null, label), ' ', h('span', { class: 'aside' }, why)),
      );
    return {
      content: [
        h(
          'p',
          null,
          'The primary is ',
          h('strong', null, cluster.primary?.id ?? 'unknown'),
          '. Nothing happens before you have seen the plan.',
        ),
        h(
          'fieldset',
          null,
          h('legend', null, 'New primary'),
          choice('', 'The best one', 'as the agents choose', false),
          others.map((node) => {
            const obstacle = cannotLead(node);
            return choice(node.id, node.id, obstacle ?? describe(node), obstacle !== null);
          }),
        ),
        h(
          'label',
          { class: 'field' },
          h('span', null, 'If something stands in the way, wait for it, seconds'),
          h('input', {
            type: 'number',
            min: 0,
            max: LONGEST_WAIT_S,
            step: 1,
            value: now.form.wait,
            inputmode: 'numeric',
            on: { input: (event) => actions.set({ wait: event.target.value }) },
          }),
        ),
      ],
      buttons: [
        actions.next('Show the plan (dry run)', () =>
          actions.run(
            'Asking what would be done…',
            '/api/v1/switchover',
            { method: 'POST', body: { ...target(now), dry_run: true } },
            (of, plan) => Object.assign(of, { plan, step: 'plan' }),
          ),
        ),
      ],
    };
  },
  plan(actions, now) {
    const { plan } = now;
    const old = actions.cluster().primary?.id ?? 'the old primary';
    const hindrances = plan.hindrances ?? [];
    const wait = seconds(now.form.wait);
    return {
      content: [
        h('h3', null, 'What would be done'),
        h(
          'ol',
          { class: 'lines plan' },
          (plan.steps ?? []).map((step, at) => h('li', { key: `${at}` }, step)),
        ),
        hindrances.length === 0
          ? h('p', { class: 'note ok' }, '✓ Nothing stands in the way.')
          : h(
              'div',
              { class: 'note bad' },
              h('h3', null, 'What stands in the way now'),
              h(
                'ul',
                null,
                hindrances.map((text, at) => h('li', { key: `${at}` }, text)),
              ),
              h(
                'p',
                null,
                wait > 0
                  ? `The agents wait up to ${wait} s for it to go away, and change nothing if it does not.`
                  : 'As it is, the switchover is refused. Go back to say how long to wait for it.',
              ),
            ),
        h(
          'p',
          { class: 'note warn' },
          h('strong', null, 'The consequence: '),
          `clients can write to ${plan.target} instead of ${old}. Sessions of applications on ${old} are ended, and what they have not committed is rolled back. If it fails, ${old} stays the primary.`,
        ),
      ],
      buttons: [
        actions.back(),
        // The target that was shown, even if "the best one" would be another by now.
        actions.confirm(`Make ${plan.target} the primary`, () =>
          actions.run(
            `Switching over to ${plan.target}…`,
            '/api/v1/switchover',
            {
              method: 'POST',
              body: { target: plan.target, wait_ms: wait * 1000 },
              deadlineMs: CHANGE_MS + wait * 1000,
              changes: true,
            },
            finish,
          ),
        ),
      ],
    };
  },
  done,
  after(actions, now) {
    const primary = actions.cluster().primary;
    if (primary?.id === now.plan.target) return h('p', { role: 'status' }, `${primary.id} is the primary.`);
    return h('p', { role: 'status' }, `Waiting to see ${now.plan.target} as the primary…`);
  },
};

function target(now) {
  return now.form.target === '' ? {} : { target: now.form.target };
}

function seconds(text) {
  const value = Math.floor(Number(text));
  return Number.isFinite(value) ? Math.min(LONGEST_WAIT_S, Math.max(0, value)) : 0;
}

/** What plainly forbids it; anything finer is for the agents to say. */
export function cannotLead(node) {
  if (!node.answers) return 'does not answer';
  if (node.status.state === 'INVALID') return 'INVALID: it has errant transactions';
  if (node.role !== 'replica' && node.role !== 'leader') return `${ROLES[node.role]}: it never leads as such`;
  if (node.priority === 0) return 'priority 0: it never leads';
  return null;
}

function describe(node) {
  const parts = [node.behind ? `behind: ${behindWords(node.behind)}` : 'position not known'];
  if (node.lagS !== null) parts.push(`lag ${lag(node.lagS)}`);
  return parts.join(', ');
}

const PAUSE = {
  title: () => 'Pause the cluster',
  form(actions) {
    return {
      content: [
        h(
          'p',
          { class: 'note warn' },
          h('strong', null, 'The consequence: '),
          'nobody is elected until you resume. If the primary fails meanwhile, there is no failover, and nobody can write. It is meant for upgrades and repairs.',
        ),
      ],
      buttons: [
        actions.confirm('Pause: no failover until I resume', () =>
          actions.run('Pausing…', '/api/v1/pause', { method: 'POST', body: {}, changes: true }, finish),
        ),
      ],
    };
  },
  done,
};

const RESUME = {
  title: () => 'Resume the cluster',
  form(actions) {
    return {
      content: [
        h(
          'p',
          null,
          'Elections and failovers are on again. If the primary has failed meanwhile, another node takes over at once.',
        ),
      ],
      buttons: [
        actions.confirm(
          'Resume',
          () => actions.run('Resuming…', '/api/v1/resume', { method: 'POST', body: {}, changes: true }, finish),
          { danger: false },
        ),
      ],
    };
  },
  done,
};
