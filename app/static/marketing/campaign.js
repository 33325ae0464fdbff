// The campaign's page: counts what is typed, puts personal fields where the cursor is, and looks again by itself.
const form = document.getElementById("campaign");
const WAITS_MS = 700;
let last = null;
let asked = 0;
let timer = 0;

function count(mark) {
  const field = document.getElementById(mark.dataset.count);
  const length = [...field.value].length;
  mark.textContent = `${length}/${mark.dataset.most}`;
  mark.classList.toggle("over-most", length > Number(mark.dataset.most));
}

for (const mark of form.querySelectorAll("[data-count]")) {
  document.getElementById(mark.dataset.count).addEventListener("input", () => count(mark));
  count(mark);
}

form.addEventListener("focusin", (event) => {
  if (event.target.closest(".words")) last = event.target;
});
for (const button of form.querySelectorAll("[data-field]"))
  button.addEventListener("click", () => {
    const field = last ?? document.getElementById("f-title");
    field.focus();
    field.setRangeText(button.dataset.field, field.selectionStart, field.selectionEnd, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });

const chosen = (part) => [...part.querySelectorAll("input[type=radio]:checked")].map((one) => one.id);
const opened = (part) => [...part.querySelectorAll("details[open][id]")].map((one) => one.id);

async function look() {
  const mine = ++asked;
  const side = document.getElementById("side");
  side.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(form.dataset.preview, {
      method: "POST",
      body: new FormData(form),
      headers: { "X-Requested-With": "fetch", Accept: "text/html" },
    });
    if (!answer.ok || mine !== asked) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const keep = [chosen(side), opened(side)];
    for (const id of ["side", "go"]) document.getElementById(id).replaceChildren(...page.getElementById(id).childNodes);
    for (const id of keep[0]) document.getElementById(id)?.click();
    for (const id of keep[1]) document.getElementById(id)?.setAttribute("open", "");
  } finally {
    if (mine === asked) side.removeAttribute("aria-busy");
  }
}

form.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(look, WAITS_MS);
});
document.documentElement.classList.add("scripted");
