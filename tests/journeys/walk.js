// A walk through the page by Tab: which stops there are, whether each shows that it has the focus, and what was missed.
() => {
  const STOPS = "a[href], button:enabled, input:enabled:not([type=hidden]), select:enabled, textarea:enabled, summary, [tabindex='0']";
  const show = (node) => node.outerHTML.replace(/\s+/g, " ").slice(0, 110);
  const look = (node) => {
    const { outline, boxShadow, borderColor, backgroundColor } = getComputedStyle(node);
    return [outline, boxShadow, borderColor, backgroundColor].join();
  };
  // What a focused field lights up may be the field itself or what stands around it.
  const looks = (node) => [node, node.parentElement].map(look).join();
  // of a group of radio buttons Tab comes to the chosen one, and arrows go on from there
  const isArrows = (node) => node.type === "radio" && !node.checked && [...document.getElementsByName(node.name)].some((one) => one.checked && one.form === node.form);
  const inert = (node) => node.tabIndex < 0 || isArrows(node) || node.closest("[inert]") || !node.checkVisibility({ checkVisibilityCSS: true });
  document.activeElement?.blur();
  window.scrollTo(0, 0);
  const waiting = new Map([...document.querySelectorAll(STOPS)].filter((node) => !inert(node)).map((node) => [node, looks(node)]));
  return {
    waiting: () => waiting.size,
    judge: (node) => {
      if (!waiting.has(node)) return "";
      const before = waiting.get(node);
      waiting.delete(node);
      const box = node.getBoundingClientRect();
      if (looks(node) === before) return `focus cannot be seen: ${show(node)}`;
      const isOff = box.bottom <= 0 || box.top >= innerHeight || box.right <= 0 || box.left >= innerWidth;
      return isOff ? `focus is off the screen: ${show(node)}` : "";
    },
    missed: () => [...waiting.keys()].map((node) => `Tab never comes to: ${show(node)}`),
  };
}
