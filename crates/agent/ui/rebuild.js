// A rebuild: the only thing on this page that takes a node's own data away, so it wants the node's name typed.

import { h } from './dom.js';
import { bytes, counted } from './format.js';
import { isActive, ROLES } from './model.js';
import { done, finish } from './outcome.js';

const METHODS = [
  ['', 'the best that both servers can'],
  ['clone', 'CLONE'],
  ['xtrabackup', 'xtrabackup'],
  ['mariabackup', 'mariabackup'],
];

export const REBUILD = {
  title: (now) => `Rebuild ${now.node}`,
  form(actions, now) {
    const cluster = actions.cluster();
    const donors = cluster.nodes.filter((node) => node.id !== now.node && node.role !== 'witness' && node.answers);
    const select = (name, label, choices) =>
      h(
        'label',
        { class: 'field' },
        h('span', null, label),
        h(
          'select',
          { on: { change: (event) => actions.set({ [name]: event.target.value }) } },
          choices.map(([value, words]) =>
            h('option', { value, key: `:${value}`, selected: now.form[name] === value }, words),
          ),
        ),
      );
    return {
      content: [
        h(
          'p',
          null,
          'Another node’s data takes the place of the data of ',
          h('strong', null, now.node),
          '. Nothing happens before you have seen what would be done.',
        ),
        select('from', 'Copy from', [
          ['', 'the best one, a replica if there is one'],
          ...donors.map((node) => [node.id, `${node.id} (${ROLES[node.role]})`]),
        ]),
        select('method', 'How', METHODS),
        h(
          'label',
          { class: 'field' },
          h('span', null, 'At most, MiB a second (empty: as fast as it goes)'),
          h('input', {
            type: 'number',
            min: 1,
            max: 1_000_000,
            step: 1,
            value: now.form.throttle,
            on: { input: (event) => actions.set({ throttle: event.target.value }) },
          }),
        ),
        h(
          'label',
          { class: 'choice' },
          h('input', {
            type: 'checkbox',
            checked: now.form.force,
            on: { change: (event) => actions.set({ force: event.target.checked }) },
          }),
          h('span', null, 'Even though the node is well'),
        ),
      ],
      buttons: [
        actions.next('Show what would be done (dry run)', () =>
          actions.run(
            'Asking what would be done…',
            rebuildPath(now),
            { method: 'POST', body: rebuildBody(now, true) },
            (of, value) => Object.assign(of, { plan: value, step: 'plan', typed: '' }),
          ),
        ),
      ],
    };
  },
  plan(actions, now) {
    const node = actions.cluster().nodes.find((one) => one.id === now.node);
    const has = node?.transactions ? ` It has ${counted(node.transactions, 'transaction')} now.` : '';
    return {
      content: [
        h('h3', null, 'What would be done'),
        h('p', { class: 'said' }, String(now.plan?.message ?? '')),
        h(
          'p',
          { class: 'note warn' },
          h('strong', null, 'The consequence: '),
          `${now.node} serves nobody until the copy is there, and its own data is removed once it follows again.${has} What it alone holds is kept aside in a quarantine first.`,
        ),
        h(
          'label',
          { class: 'field' },
          h('span', null, `Type ${now.node} to go on`),
          h('input', {
            type: 'text',
            autocomplete: 'off',
            autocapitalize: 'off',
            spellcheck: 'false',
            maxlength: 300,
            on: {
              input: (event) => {
                now.typed = event.target.value;
                actions.render();
              },
            },
          }),
        ),
      ],
      buttons: [
        actions.back(),
        actions.confirm(
          `Replace the data of ${now.node}`,
          () =>
            actions.run(
              'Beginning the rebuild…',
              rebuildPath(now),
              { method: 'POST', body: rebuildBody(now, false), changes: true },
              finish,
            ),
          { disabled: now.typed?.trim() !== now.node },
        ),
      ],
    };
  },
  done,
  after(actions, now) {
    const job = actions.cluster().nodes.find((node) => node.id === now.node)?.status?.job;
    if (!job) return null;
    const copied = job.bytes_total > 0 ? `, ${bytes(job.bytes_done)} of ${bytes(job.bytes_total)}` : '';
    return h(
      'p',
      null,
      isActive(job)
        ? `Now: ${job.phase}${copied}. It goes on when this is closed.`
        : `It is ${job.state}.${job.last_error ? ` ${job.last_error}` : ''}`,
    );
  },
};

function rebuildPath(now) {
  return `/api/v1/nodes/${encodeURIComponent(now.node)}/rebuild`;
}

function rebuildBody(now, dryRun) {
  const { from, method, throttle, force } = now.form;
  const body = { force, dry_run: dryRun };
  if (from !== '') body.from = from;
  if (method !== '') body.method = method;
  if (Number(throttle) >= 1) body.throttle_mib_s = Math.floor(Number(throttle));
  return body;
}

export const CANCEL_REBUILD = {
  title: (now) => `Give up the rebuild of ${now.node}`,
  form(actions, now) {
    return {
      content: [
        h(
          'p',
          null,
          'The copying ends and the node keeps the data that it had. Once its own data has been touched, this is refused, and the rebuild goes on.',
        ),
      ],
      buttons: [
        actions.confirm('Give the rebuild up', () =>
          actions.run('Ending it…', rebuildPath(now), { method: 'DELETE', changes: true }, finish),
        ),
      ],
    };
  },
  done,
};
