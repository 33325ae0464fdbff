// Two phones, drawn from /sandbox/state and kept current by /sandbox/events (or by asking, where that is not possible).

import { applePass, googleCard } from "./phones_faces.js";
import { h, morph } from "./phones_dom.js";

const POLL_MS = 2000;
const BANNER_MS = 6000;
const SHOW_CARD_MS = 1600;
const SHORT = 30;
const LONG = 90;
const NAMES = { apple: "iPhone", google: "Android" };

let state = null;
let polling = 0;
const looks = {
  apple: { screen: "wallet", open: null, flipped: false, seen: null, unread: 0, frame: "", held: null },
  google: { screen: "wallet", open: null, flipped: false, seen: null, unread: 0, frame: "", held: null },
};

const section = (name) => document.querySelector(`.phone[data-phone="${name}"]`);
const part = (name, which) => section(name).querySelector(`[data-part="${which}"]`);
const chosen = (name) => state[name].cards.find((card) => card.id === looks[name].open) || state[name].cards[0];

// Staying current

function take(fresh) {
  state = fresh;
  draw();
}

/** An answer to a press may come after a newer event. */
function takeIfNewer(fresh) {
  if (fresh.version >= state.version) take(fresh);
}

function listen() {
  const source = new EventSource("/sandbox/events");
  source.onopen = () => { stopPolling(); showLink(true, "Live"); };
  source.onmessage = (event) => take(JSON.parse(event.data));
  source.onerror = () => { showLink(false, "Reconnecting"); startPolling(); };
}

function startPolling() {
  if (!polling) polling = setInterval(ask, POLL_MS);
}

function stopPolling() {
  clearInterval(polling);
  polling = 0;
}

async function ask() {
  try {
    const answer = await fetch("/sandbox/state");
    if (answer.ok) { take(await answer.json()); showLink(true, "Live"); }
  } catch {
    showLink(false, "The sandbox is not running");
  }
}

async function act(name, action, values = {}) {
  try {
    const answer = await fetch(`/sandbox/phones/${name}/${action}`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(values),
    });
    if (answer.ok) takeIfNewer(await answer.json());
  } catch {
    showLink(false, "The sandbox is not running");
  }
}

function showLink(good, text) {
  document.querySelector('[data-part="link"]').classList.toggle("is-on", good);
  document.querySelector('[data-part="link-text"]').textContent = text;
}

// Drawing

function draw() {
  for (const name of ["apple", "google"]) drawPhone(name);
  drawStories();
}

function drawPhone(name) {
  const phone = state[name];
  const look = looks[name];
  const root = section(name);
  root.classList.toggle("is-offline", phone.airplane);
  const wallet = phone.cards.length ? cards(name) : emptyWallet(name);
  morph(part(name, "wallet"), wallet);
  morph(part(name, "messages"), phone.messages.length
    ? phone.messages.map((message) => note(name, message))
    : [h("li", { class: "notes-none", "data-key": "none" }, "No notifications")]);
  announceNew(name);
  showNewCard(name);
  drawSettings(name);
  drawScreen(name);
  if (phone.location && document.activeElement?.form?.dataset.phone !== name) address(name).value = shownAddress(phone.location);
  look.open = chosen(name)?.id ?? null;
}

function cards(name) {
  const open = chosen(name);
  const look = looks[name];
  if (name === "google") return [h("h3", { class: "wallet-title", "data-key": "title" }, "Wallet"), ...state.google.cards.map(googleCard)];
  const others = state.apple.cards.filter((card) => card !== open);
  return [
    h("h3", { class: "wallet-title", "data-key": "title" }, "Wallet"),
    applePass(open, { open: true, flipped: look.flipped }),
    ...others.map((card) => applePass(card, { open: false, flipped: false })),
  ];
}

function emptyWallet(name) {
  return [
    h("h3", { class: "wallet-title", "data-key": "title" }, "Wallet"),
    h("div", { class: "empty", "data-key": "empty" },
      h("div", { class: "empty-card", "aria-hidden": "true" }, h("span"), h("span"), h("span")),
      h("p", { class: "empty-lead" }, "No card yet"),
      h("p", {}, "Scan the poster at the counter, give a name, and add the card to this wallet."),
      h("button", { class: "primary", type: "button", "data-do": "join", "data-phone": name }, scanIcon(), "Scan the poster")),
  ];
}

function scanIcon() {
  const corner = "M2 6V3.500A1.500 1.500 0 0 1 3.500 2H6M14 2h2.500A1.500 1.500 0 0 1 18 3.500V6M18 14v2.500a1.500 1.500 0 0 1-1.500 1.500H14M6 18H3.500A1.500 1.500 0 0 1 2 16.500V14";
  return h("svg", { viewBox: "0 0 20 20", "aria-hidden": "true", class: "line-icon" }, h("path", { d: corner }), h("path", { d: "M6 10h8" }));
}

function note(name, message) {
  return h("li", { class: "note", "data-key": `m${message.number}` },
    h("span", { class: `note-icon note-${name}`, "aria-hidden": "true" }),
    h("span", { class: "note-title" }, message.title || "Wallet"),
    h("time", { datetime: message.at }, clock(message.at)),
    h("span", { class: "note-text" }, message.text));
}

function announceNew(name) {
  const look = looks[name];
  const newest = state[name].messages[0];
  const number = newest?.number ?? 0;
  if (look.seen !== null && number > look.seen && look.screen !== "lock") {
    look.unread += 1;
    showBanner(name, newest);
  }
  look.seen = Math.max(look.seen ?? 0, number);
}

/** A card that was just added in the phone's browser is what people want to see next. */
function showNewCard(name) {
  const look = looks[name];
  const ids = state[name].cards.map((card) => card.id);
  const fresh = look.held && ids.find((id) => !look.held.includes(id));
  look.held = ids;
  if (!fresh) return;
  look.open = fresh;
  look.flipped = false;
  if (look.screen === "browser") setTimeout(() => { look.screen = "wallet"; draw(); }, SHOW_CARD_MS);
}

function showBanner(name, message) {
  const banner = part(name, "banner");
  morph(banner, h("div", { class: "note", "data-key": `b${message.number}` }, ...note(name, message).childNodes));
  banner.classList.add("is-shown");
  clearTimeout(looks[name].timer);
  looks[name].timer = setTimeout(() => banner.classList.remove("is-shown"), BANNER_MS);
}

function drawSettings(name) {
  const phone = state[name];
  const card = chosen(name);
  setSwitch(name, "airplane", phone.airplane, true);
  if (name === "apple") {
    setSwitch(name, "updates", Boolean(card?.automatic_updates), Boolean(card));
    control(name, "refresh").disabled = !card;
  }
  control(name, "delete").disabled = !card;
  const language = control(name, "language");
  if (document.activeElement !== language) language.value = phone.language;
}

function control(name, action) {
  return section(name).querySelector(`.settings [data-do="${action}"]`);
}

function setSwitch(name, action, on, usable) {
  control(name, action).setAttribute("aria-checked", String(on));
  control(name, action).disabled = !usable;
}

function drawScreen(name) {
  const look = looks[name];
  const root = section(name);
  if (look.screen === "lock") look.unread = 0;
  root.querySelector(".screen").dataset.screen = look.screen;
  for (const view of root.querySelectorAll("[data-view]")) view.hidden = view.dataset.view !== look.screen;
  for (const tab of root.querySelectorAll(".tabs button")) tab.setAttribute("aria-pressed", String(tab.dataset.screen === look.screen));
  const count = part(name, "count");
  count.hidden = look.unread === 0;
  count.textContent = String(look.unread);
}

function drawStories() {
  const stories = ["apple", "google"].flatMap((name) => state[name].stories.map((story) => ({ ...story, name })));
  stories.sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : b.number - a.number));
  const list = document.querySelector('[data-part="stories"]');
  morph(list, stories.length ? stories.map(storyItem) : [h("li", { class: "stories-none", "data-key": "none" },
    "Nothing yet. Every request between the phones and the shop appears here, in words.")]);
}

// the back of a card changes by whole paragraphs: their beginnings say enough
function told(text) {
  return text.split(" → ").map((part) => (part.length > LONG ? `${part.slice(0, LONG)} …` : part)).join(" → ");
}

function storyItem(story) {
  const steps = story.steps.flatMap((step, index) => [
    index ? "\u00a0" : null,
    index ? h("span", { class: "arrow", "aria-label": "then" }, "→") : null,
    index ? " " : null,
    h("span", { class: `step${step.bad ? " is-bad" : ""}${/ → /.test(step.text) ? " is-change" : ""}${step.text.length < SHORT ? " is-short" : ""}` }, step.bad ? `⚠ ${step.text}` : told(step.text)),
  ]);
  return h("li", { class: "story", "data-key": `${story.name}${story.number}` },
    h("span", { class: `who who-${story.name}` }, NAMES[story.name]),
    h("time", { datetime: story.at }, clock(story.at, true)),
    h("p", {}, steps));
}

function clock(text, seconds = false) {
  const at = text ? new Date(text) : new Date();
  return at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: seconds ? "2-digit" : undefined });
}

function tick() {
  const now = new Date();
  for (const node of document.querySelectorAll(".clock, .lock-time")) node.textContent = clock();
  for (const name of ["apple", "google"]) {
    const language = state?.[name].language || "en-GB";
    section(name).querySelector(".lock-date").textContent = now.toLocaleDateString(language, { weekday: "long", day: "numeric", month: "long" });
  }
}

// The browser in the phone

function address(name) {
  return section(name).querySelector('input[name="address"]');
}

function shownAddress(path) {
  if (path.startsWith("/gp/v/save/")) return "pay.google.com/gp/v/save/…";
  return state.product_url.replace(/^https?:\/\//, "") + path;
}

function pathOf(text) {
  const bare = text.trim().replace(/^https?:\/\//, "");
  const own = state.product_url.replace(/^https?:\/\//, "");
  if (bare.startsWith(own)) return bare.slice(own.length) || "/";
  return bare.startsWith("/") ? bare : `/${bare}`;
}

async function scanPoster(name) {
  try {
    browse(name, (await (await fetch("/sandbox/poster")).json()).path);
  } catch {
    showLink(false, "The sandbox is not running");
  }
}

function browse(name, path) {
  looks[name].screen = "browser";
  looks[name].frame = path;
  part(name, "frame").src = state[name].browser + path;
  address(name).value = shownAddress(path);
  drawScreen(name);
}

// What people press

function askDelete(name) {
  const card = chosen(name);
  const dialog = document.querySelector('[data-part="ask"]');
  document.querySelector('[data-part="ask-text"]').textContent = `${card.organisation || card.programme} leaves this ${NAMES[name]}, and the shop is told.`;
  dialog.returnValue = "no";
  dialog.addEventListener("close", () => { if (dialog.returnValue === "yes") act(name, "delete", { id: card.id }); }, { once: true });
  dialog.showModal();
}

const presses = {
  screen: (name, target) => {
    if (target.dataset.screen === "browser" && !looks[name].frame) return scanPoster(name);
    looks[name].screen = target.dataset.screen;
    return drawScreen(name);
  },
  join: (name) => scanPoster(name),
  open: (name, target) => { looks[name].open = target.dataset.id; looks[name].flipped = false; draw(); },
  flip: (name) => { looks[name].flipped = !looks[name].flipped; draw(); section(name).querySelector(looks[name].flipped ? ".done" : ".turn")?.focus({ preventScroll: true }); },
  airplane: (name) => act(name, "airplane", { on: !state[name].airplane }),
  updates: (name) => act(name, "updates", { id: chosen(name).id, on: !chosen(name).automatic_updates }),
  refresh: (name) => act(name, "refresh", { id: chosen(name).id }),
  delete: (name) => askDelete(name),
};

document.addEventListener("click", (event) => {
  const target = event.target.closest("button[data-do]");
  if (target && state && presses[target.dataset.do]) presses[target.dataset.do](target.dataset.phone, target);
  const link = event.target.closest(".view-wallet a[href]");
  if (link && state?.product_url && link.href.startsWith(`${state.product_url}/`)) {
    event.preventDefault();
    browse(link.closest(".phone").dataset.phone, link.href.slice(state.product_url.length));
  }
});

document.addEventListener("change", (event) => {
  const target = event.target.closest('[data-do="language"]');
  if (target) act(target.dataset.phone, "language", { language: target.value });
});

document.addEventListener("submit", (event) => {
  const form = event.target.closest('[data-do="go"]');
  if (!form) return;
  event.preventDefault();
  browse(form.dataset.phone, pathOf(address(form.dataset.phone).value));
});

// A .pkpass dropped on the iPhone is opened as from a mail.
const iphone = section("apple").querySelector(".device");
iphone.addEventListener("dragover", (event) => { event.preventDefault(); iphone.classList.add("is-target"); });
iphone.addEventListener("dragleave", () => iphone.classList.remove("is-target"));
iphone.addEventListener("drop", async (event) => {
  event.preventDefault();
  iphone.classList.remove("is-target");
  const file = event.dataTransfer.files[0];
  if (file) await fetch("/sandbox/passes", { method: "POST", headers: { "Content-Type": "application/vnd.apple.pkpass" }, body: file });
});

// A picture that cannot be loaded leaves its place to what is under it.
document.addEventListener("error", (event) => event.target.classList?.add("is-broken"), true);
document.addEventListener("load", (event) => event.target.classList?.remove("is-broken"), true);

tick();
setInterval(tick, 5000);
ask().finally(listen);
