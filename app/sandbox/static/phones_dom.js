// Elements without innerHTML, and a way to bring a part of the page up to date that keeps what has not changed
// (a value that is replaced by another lights up for a moment: is-new).

const KEPT_CLASSES = ["is-new", "is-broken"];

/** h("p", {class: "x", style: {"--a": "1"}}, "text", child, null) */
export function h(tag, properties, ...children) {
  const svg = tag === "svg" || tag === "path" || tag === "rect" || tag === "circle";
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "style") {
      for (const [property, text] of Object.entries(value)) if (text) node.style.setProperty(property, text);
    } else {
      node.setAttribute(name, value === true ? "" : String(value));
    }
  }
  node.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Give `into` the children of `wanted`; nodes of the same kind and data-key stay, and with them focus and scrolling. */
export function morph(into, wanted) {
  const fresh = Array.isArray(wanted) ? wanted.filter(Boolean) : [wanted];
  const keyed = new Map();
  for (const child of into.children) if (child.dataset?.key) keyed.set(child.dataset.key, child);
  let place = into.firstChild;
  for (const next of fresh) {
    const node = typeof next === "string" ? document.createTextNode(next) : next;
    const known = node.dataset?.key ? keyed.get(node.dataset.key) : place;
    if (known && isSameKind(known, node)) {
      if (known !== place) into.insertBefore(known, place);
      else place = place.nextSibling;
      update(known, node);
    } else {
      if (place && node.classList?.contains("field-value")) node.classList.add("is-new");
      into.insertBefore(node, place);
    }
  }
  while (place) {
    const rest = place.nextSibling;
    place.remove();
    place = rest;
  }
}

function isSameKind(known, node) {
  return known.nodeName === node.nodeName && known.dataset?.key === node.dataset?.key;
}

function update(known, node) {
  if (known.nodeType === Node.TEXT_NODE) {
    if (known.data !== node.data) known.data = node.data;
    return;
  }
  for (const kept of KEPT_CLASSES) if (known.classList?.contains(kept)) node.classList.add(kept);
  for (const { name } of [...known.attributes]) if (name !== "style" && !node.hasAttribute(name)) known.removeAttribute(name);
  for (const { name, value } of node.attributes) {
    if (name !== "style" && known.getAttribute(name) !== value) known.setAttribute(name, value);
  }
  if (known.style && known.style.cssText !== node.style.cssText) known.style.cssText = node.style.cssText;
  morph(known, [...node.childNodes]);
}
