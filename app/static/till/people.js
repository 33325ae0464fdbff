// Who is at the till: the dialog that another person takes it over in, and the one in which a manager approves.

const dialog = document.getElementById("till-people");

function chosen(field) {
  const pin = field.closest("form").querySelector("[data-pin]");
  field.checked = true;
  pin.focus();
}

function begin(place) {
  const first = place.querySelector("[data-tiles] input:checked") ?? place.querySelector("[data-tiles] input");
  if (first?.checked) chosen(first);
  else first?.focus();
}

// Without marks: the key i chooses İrem, and ş need not be on the keyboard.
const bare = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toUpperCase();

// A digit, or the first letter of initials, chooses; the next letter press goes on to the next of that letter.
function byKey(tiles, key) {
  const all = [...tiles.querySelectorAll("input")];
  const byDigit = all.find((one) => one.dataset.digitOf === key);
  if (byDigit) return byDigit;
  const named = all.filter((one) => bare(one.dataset.initials).startsWith(bare(key)));
  return named[(named.findIndex((one) => one.checked) + 1) % (named.length || 1)];
}

document.addEventListener("keydown", (event) => {
  const tiles = event.target.closest?.("[data-tiles]");
  if (!tiles || event.ctrlKey || event.altKey || event.metaKey || event.key.length !== 1) return;
  const field = byKey(tiles, event.key);
  if (!field) return;
  event.preventDefault();
  chosen(field);
});

// Arrow keys walk over the tiles and leave the focus there; a finger or a mouse has chosen.
document.addEventListener("pointerup", (event) => {
  const tile = event.target.closest?.(".till-tile");
  if (tile) setTimeout(() => chosen(tile.querySelector("input")));
});

// Always asked for anew: who has a PIN changes. Without an answer the page itself says why.
export async function switchPerson() {
  if (dialog.matches(":popover-open")) return;
  try {
    const answer = await fetch(dialog.dataset.address, { headers: { "X-Requested-With": "fetch" } });
    if (!answer.ok) throw new Error("refused");
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    dialog.replaceChildren(...page.body.childNodes);
  } catch {
    window.location.assign(dialog.dataset.address);
    return;
  }
  dialog.showPopover();
  begin(dialog);
}

export function approve() {
  const asked = document.getElementById("till-approve");
  if (!asked) switchPerson();
  else asked.showPopover();
}

document.addEventListener("toggle", (event) => {
  if (event.target.id === "till-approve" && event.newState === "open") begin(event.target);
}, { capture: true });
document.addEventListener("till:arrived", () => document.querySelector("#till-approve[data-open]")?.showPopover());
document.addEventListener("click", (event) => {
  if (!dialog || !event.target.closest?.("[data-switch]") || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  switchPerson();
});
// Pages without the till's own keys.
if (!dialog) {
  document.querySelector("#till-approve[data-open]")?.showPopover();
  document.addEventListener("keydown", (event) => {
    if (event.key !== "F9") return;
    event.preventDefault();
    document.getElementById("till-approve")?.showPopover();
  });
}
const alone = document.getElementById("till-people-page");
if (alone) {
  document.documentElement.dataset.till = "ready";
  begin(alone);
}
