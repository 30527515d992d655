// Describes what the page should be, and changes only what differs: focus, scrolling, open details and marked text stay as
// they are while numbers move. Text goes in as text nodes and nothing is ever parsed as HTML, so whatever a server says is
// shown, not obeyed.

const SVG = 'http://www.w3.org/2000/svg';
const SVG_TAGS = new Set(['svg', 'g', 'path', 'rect', 'line', 'circle', 'title']);
const shown = new WeakMap();

/**
 * An element: `h('li', { class: 'x', key: 'a', on: { click } }, 'text', h(…))`. Children that are null or false are left out,
 * lists are flattened. `key` says which element is which among its siblings.
 */
export function h(tag, props, ...children) {
  const { key = null, on = null, ...attributes } = props ?? {};
  return { tag, key, on, attributes, children: present(children) };
}

function present(children) {
  return children.flat(Infinity).filter((child) => ![null, undefined, false, ''].includes(child));
}

/** Makes the content of `parent` be this. */
export function show(parent, ...children) {
  patchChildren(parent, present(children));
}

function patchChildren(parent, wanted) {
  const keyed = new Map();
  const unkeyed = [];
  for (const node of parent.childNodes) {
    const key = shown.get(node)?.key ?? null;
    if (key === null) unkeyed.push(node);
    else keyed.set(key, node);
  }
  const nodes = wanted.map((child) => {
    if (typeof child === 'object' && child.key !== null) {
      const old = keyed.get(child.key);
      if (!old || !fits(old, child)) return null;
      keyed.delete(child.key);
      return old;
    }
    const at = unkeyed.findIndex((node) => fits(node, child));
    if (at < 0) return null;
    const passed = unkeyed.splice(0, at + 1);
    const old = passed.pop();
    for (const node of passed) node.remove();
    return old;
  });
  // Removed before the others are placed: an element that stays must not be moved, for moving takes its focus away.
  for (const node of keyed.values()) node.remove();
  for (const node of unkeyed) node.remove();
  let cursor = parent.firstChild;
  wanted.forEach((child, index) => {
    const node = nodes[index] ?? create(child);
    if (nodes[index]) update(node, child);
    if (node === cursor) cursor = cursor.nextSibling;
    else parent.insertBefore(node, cursor);
  });
}

function fits(node, child) {
  if (typeof child !== 'object') return node.nodeType === Node.TEXT_NODE;
  return node.nodeType === Node.ELEMENT_NODE && node.localName === child.tag && shown.has(node);
}

function create(child) {
  if (typeof child !== 'object') return document.createTextNode(String(child));
  const node = SVG_TAGS.has(child.tag) ? document.createElementNS(SVG, child.tag) : document.createElement(child.tag);
  shown.set(node, { key: child.key, on: null, attributes: {}, children: [] });
  update(node, child);
  return node;
}

function update(node, child) {
  if (typeof child !== 'object') {
    const text = String(child);
    if (node.data !== text) node.data = text;
    return;
  }
  const before = shown.get(node);
  if (before === child) return;
  for (const name of Object.keys(before.attributes)) {
    if (!(name in child.attributes)) node.removeAttribute(name);
  }
  for (const [name, value] of Object.entries(child.attributes)) {
    if (before.attributes[name] !== value) setAttribute(node, name, value);
  }
  for (const name of Object.keys(child.on ?? {})) {
    // One listener for good, which looks up what is wanted now.
    if (!(name in (before.on ?? {}))) node.addEventListener(name, dispatch);
  }
  shown.set(node, child);
  patchChildren(node, child.children);
}

function dispatch(event) {
  const handler = shown.get(event.currentTarget)?.on?.[event.type];
  if (handler) handler(event);
}

function setAttribute(node, name, value) {
  // None of the page's own code wants these; a mistake must not become a door.
  if (/^(on|style$|srcdoc$|src$|formaction$)/i.test(name)) throw new Error(`the attribute ${name} is not used here`);
  if (name === 'href' && !/^(#|https?:\/\/)/.test(String(value))) throw new Error('no such address is linked to');
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else node.setAttribute(name, value === true ? '' : String(value));
}
