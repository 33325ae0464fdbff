// What is wrong with the page as it stands, as sentences: names, order, contrast, references, width, weight.
(bytesMax) => {
  const faults = [];
  const show = (node) => node.outerHTML.replace(/\s+/g, " ").slice(0, 110);
  const seen = (node) => node.checkVisibility({ checkVisibilityCSS: true });
  const hidden = (node) => node.closest("[aria-hidden=true]") !== null;
  const all = (selector) => [...document.querySelectorAll(selector)].filter((node) => seen(node) && !hidden(node));
  const byId = (ids) => ids.split(/\s+/).map((id) => document.getElementById(id)?.textContent.trim() ?? "").join(" ").trim();
  const named = (node) =>
    byId(node.getAttribute("aria-labelledby") ?? "") || node.getAttribute("aria-label")?.trim() ||
    [...(node.labels ?? [])].map((label) => label.textContent.trim()).join(" ");
  const spoken = (node) =>
    named(node) || node.textContent.trim() || [...node.querySelectorAll("img[alt]")].map((img) => img.alt).join(" ").trim();

  if (!document.documentElement.lang) faults.push("no language");
  if (!document.title.trim()) faults.push("no title");
  if (document.querySelectorAll("main").length !== 1) faults.push("not one main region");
  for (const node of all("input:not([type=hidden], [type=submit], [type=button]), select, textarea"))
    if (!named(node)) faults.push(`field without a label: ${show(node)}`);
  for (const node of all("a[href], button, summary, [role=button], [role=switch]"))
    if (!spoken(node)) faults.push(`control without a name: ${show(node)}`);
  for (const node of all("img")) if (!node.hasAttribute("alt")) faults.push(`picture without alt: ${show(node)}`);
  for (const node of all("svg").filter((node) => !node.parentElement.closest("svg")))
    if (node.getAttribute("role") !== "img" ? !hidden(node) : !(named(node) || node.querySelector("title")))
      faults.push(`drawing without a name or aria-hidden: ${show(node)}`);
  for (const node of all("video, iframe")) if (!named(node) && !node.title) faults.push(`no name: ${show(node)}`);

  const ids = new Map();
  for (const { id } of document.querySelectorAll("[id]")) ids.set(id, (ids.get(id) ?? 0) + 1);
  for (const [id, count] of ids) if (count > 1) faults.push(`the id ${id} stands ${count} times`);
  for (const attribute of ["for", "aria-labelledby", "aria-describedby", "aria-controls"])
    for (const node of document.querySelectorAll(`[${attribute}]`))
      for (const id of node.getAttribute(attribute).split(/\s+/))
        if (!ids.has(id)) faults.push(`${attribute} leads nowhere: ${show(node)}`);

  const levels = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].filter(seen).map((node) => Number(node.tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) faults.push(`headings of the first level: ${levels}`);
  levels.forEach((level, at) => at && level > levels[at - 1] + 1 && faults.push(`headings skip a level: ${levels}`));

  const sideways = document.documentElement.scrollWidth - window.innerWidth;
  if (sideways > 0) faults.push(`scrolls sideways by ${sideways} px`);

  const loaded = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
  const weight = loaded.reduce((sum, entry) => sum + entry.encodedBodySize, 0);
  if (weight > bytesMax) faults.push(`weighs ${weight} bytes`);
  for (const { name } of loaded)
    if (/^https?:/.test(name) && new URL(name).hostname !== location.hostname) faults.push(`asks somebody else: ${name}`);

  const parse = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
    return colour.startsWith("color(srgb") ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
  };
  const over = (top, under) => [0, 1, 2].map((at) => top[at] * top[3] + under[at] * (1 - top[3])).concat(1);
  const ground = (node) => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.backgroundImage !== "none") return null; // a picture: not to be judged by one colour
      layers.push(parse(style.backgroundColor));
      if (layers.at(-1)[3] === 1) break;
    }
    if (layers.at(-1)[3] < 1) layers.push(matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18, 1] : [255, 255, 255, 1]);
    return layers.reduceRight((under, top) => over(top, under));
  };
  const light = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const faded = (node) => {
    let rest = 1;
    for (let at = node; at; at = at.parentElement) rest *= Number(getComputedStyle(at).opacity);
    return rest;
  };
  const judge = (node, pseudo) => {
    const under = ground(node);
    if (!under) return;
    const style = getComputedStyle(node, pseudo);
    const ink = parse(style.color);
    ink[3] *= faded(node) * (pseudo ? Number(style.opacity) : 1);
    const [low, high] = [light(over(ink, under)), light(under)].sort((a, b) => a - b);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) faults.push(`contrast ${ratio.toFixed(2)}${pseudo ?? ""}: ${show(node)}`);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const judged = new Set();
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || judged.has(node) || node.closest("svg, noscript, script, :disabled, option")) continue;
    judged.add(node);
    if (seen(node) && !hidden(node)) judge(node);
  }
  for (const node of all("input[placeholder], textarea[placeholder]")) if (!node.value) judge(node, "::placeholder");
  return faults;
}
