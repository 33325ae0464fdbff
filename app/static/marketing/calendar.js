// The calendar by mouse and by keys: days are a grid with one stop for Tab, and a send is carried to another day.
// Everything ends in the form "Move a send", which also works without this.
const table = document.getElementById("calendar");
const form = document.getElementById("move-form");
const told = document.getElementById("told");
const isGrid = () => matchMedia("(min-width: 700px)").matches;
const rows = [...table.tBodies[0].rows].map((row) => [...row.cells]);
const cells = rows.flat();
let carried = null;

const inside = (cell) => [...cell.querySelectorAll("a[href]")];
const here = () => cells.find((cell) => cell.tabIndex === 0) ?? cells[0];
const say = (text, values = {}) => {
  told.textContent = text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
};

function stand(cell, { focus = true } = {}) {
  for (const other of cells) {
    other.tabIndex = other === cell ? 0 : -1;
    for (const link of inside(other)) link.tabIndex = other === cell ? 0 : -1;
  }
  if (focus) cell.focus();
}

function asGrid() {
  table.setAttribute("role", "grid");
  for (const row of table.rows) row.setAttribute("role", "row");
  for (const head of table.tHead.rows[0].cells) head.setAttribute("role", "columnheader");
  for (const part of [table.tHead, table.tBodies[0]]) part.setAttribute("role", "rowgroup");
  for (const cell of cells) cell.setAttribute("role", "gridcell");
  stand(table.querySelector("td.today") ?? table.querySelector("td:not(.outside)") ?? cells[0], { focus: false });
}

function asList() {
  for (const node of [table, ...table.querySelectorAll("[role]")]) node.removeAttribute("role");
  for (const cell of cells) {
    cell.removeAttribute("tabindex");
    for (const link of inside(cell)) link.removeAttribute("tabindex");
  }
}

const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 };

function next(cell, key) {
  const at = cells.indexOf(cell);
  const row = rows.find((one) => one.includes(cell));
  if (key === "Home") return row[0];
  if (key === "End") return row.at(-1);
  const turned = getComputedStyle(table).direction === "rtl" && Math.abs(STEPS[key]) === 1 ? -1 : 1;
  return key in STEPS ? cells[at + STEPS[key] * turned] ?? cell : null;
}

function drop(send, cell) {
  const day = cell.dataset.day;
  if (!form || day === send.dataset.local.slice(0, 10)) return say(table.dataset.left, { title: send.dataset.title });
  form.elements.campaign.value = send.dataset.send;
  form.elements.local.value = day + send.dataset.local.slice(10, 16);
  form.requestSubmit();
}

function over(cell) {
  for (const other of cells) other.classList.toggle("over", other === cell);
}

function pick(send) {
  carried = send;
  send.classList.add("carried");
  over(send.closest("td"));
  say(table.dataset.picked, { title: send.dataset.title });
}

function letGo() {
  const send = carried;
  carried = null;
  send?.classList.remove("carried");
  over(null);
  return send;
}

function carry(event) {
  const at = cells.find((cell) => cell.classList.contains("over")) ?? carried.closest("td");
  const to = next(at, event.key);
  if (to) {
    over(to);
    say(table.dataset.over, { title: carried.dataset.title, day: to.dataset.name });
  } else if (event.key === "Enter" || event.key === " ") {
    drop(letGo(), at);
  } else if (event.key === "Escape" || event.key === "Tab") {
    const send = letGo();
    say(table.dataset.left, { title: send.dataset.title });
    if (event.key === "Tab") return;
  }
  event.preventDefault();
}

table.addEventListener("keydown", (event) => {
  if (!isGrid() || event.ctrlKey || event.altKey || event.metaKey) return;
  if (carried) return carry(event);
  const send = event.target.closest("[data-send]");
  if (send && event.key === " ") {
    pick(send);
    return event.preventDefault();
  }
  const cell = event.target.closest("td");
  const to = next(cell, event.key);
  if (to) stand(to);
  else if (event.key === "PageUp") document.getElementById("before").click();
  else if (event.key === "PageDown") document.getElementById("after").click();
  else if (event.key === "Escape") cell.focus();
  else if (event.key === "Enter" && event.target === cell) (inside(cell)[0] ?? planOn(cell))?.focus();
  else return;
  event.preventDefault();
});

// an empty day leads to the form that plans something on it
function planOn(cell) {
  const field = document.getElementById("f-on");
  if (field) field.value = cell.dataset.day;
  return field;
}

table.addEventListener("focusin", (event) => {
  const cell = event.target.closest("td");
  if (cell && isGrid()) stand(cell, { focus: false });
});

for (const send of table.querySelectorAll("[data-send]")) {
  send.draggable = true;
  send.addEventListener("dragstart", (event) => {
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", send.dataset.send);
    carried = send;
    send.classList.add("carried");
  });
  send.addEventListener("dragend", letGo);
}
table.addEventListener("dragover", (event) => {
  const cell = event.target.closest("td");
  if (!carried || !cell) return;
  event.preventDefault();
  over(cell);
});
table.addEventListener("drop", (event) => {
  const cell = event.target.closest("td");
  if (!carried || !cell) return;
  event.preventDefault();
  drop(letGo(), cell);
});

const arrange = () => (isGrid() ? asGrid() : asList());
matchMedia("(min-width: 700px)").addEventListener("change", arrange);
arrange();
document.documentElement.classList.add("scripted");

// the time that a campaign has is what the form begins with
form?.elements.campaign.addEventListener("change", () => {
  const send = table.querySelector(`[data-send="${CSS.escape(form.elements.campaign.value)}"]`);
  if (send) form.elements.local.value = send.dataset.local;
});
