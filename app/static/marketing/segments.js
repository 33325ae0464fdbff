// The builder of segments: counts again while it is edited. Without this script the button "Count" does the same.
const form = document.getElementById("segment-builder");
const side = document.getElementById("segment-side");
const WAITS_MS = 500;
let timer = 0;
let asking = null;

async function count() {
  asking?.abort();
  const mine = (asking = new AbortController());
  side.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(form.dataset.side, { method: "POST", body: new FormData(form), signal: mine.signal });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine === asking) side.replaceChildren(...page.body.childNodes);
  } catch (problem) {
    if (problem.name !== "AbortError") throw problem;
  } finally {
    if (mine === asking) side.removeAttribute("aria-busy");
  }
}

form.addEventListener("input", (event) => {
  if (event.target.name.endsWith(".new") || event.target.name === "name") return;
  clearTimeout(timer);
  timer = setTimeout(count, WAITS_MS);
});
