// What came of a change: a problem with its cure, or what was done.

import { h } from './dom.js';

/** A problem in one line. */
export function said(problem) {
  return problem.cure ? `${problem.message} What to try: ${problem.cure}` : problem.message;
}

/** An error with its cure. */
export function problemNote(problem) {
  return h(
    'div',
    { class: 'note bad problem', role: 'alert', tabindex: '-1' },
    h('p', null, h('strong', null, `${problem.title}: `), problem.message),
    problem.cure && h('p', null, h('strong', null, 'What to try: '), problem.cure),
    problem.ask && h('p', null, h('strong', null, 'Node to ask instead: '), problem.ask),
  );
}

/** The last step of every change. */
export function done(actions, now) {
  return {
    content: [h('p', { class: 'note ok' }, h('strong', null, '✓ Done. '), now.result), now.kind.after?.(actions, now)],
    buttons: [],
  };
}

/** Keeps what the agent said it did. */
export function finish(now, value) {
  now.step = 'done';
  now.result = typeof value?.message === 'string' ? value.message : 'The agent has done it.';
}
