// The till without a connection: a code with its check, an amount, and a sale that is kept until somebody answers.

import { playDone, playRefused } from "./sound.js";
import { Camera } from "./camera.js";
import { parse } from "./offline_amounts.js";
import { grouped, normalise } from "./offline_codes.js";
import { Full, MOST, OLDEST_MS, Store } from "./offline_store.js";
import { alone, ask, send } from "./offline_sync.js";
import { Wedge, storedGap } from "./scanner.js";

const LOOK_AGAIN_MS = 5000;
const SHORT_MS = 4000;
const UNDO_MS = 10 * 60 * 1000;
const LONGEST_RECEIPT = 64;

const find = (name) => document.getElementById(name);
const root = find("offline");
const words = Object.fromEntries([...find("offline-words").children].map((one) => [one.dataset.word, one.textContent]));
const language = document.documentElement.lang;

let store = null;
let desk = null;
let card = null; // the number that was scanned
let formKey = null; // of the form on the till's page that got no answer
let question = null;
let last = null; // what was kept last, while it can be taken back
let connection = "off";
let news = ""; // that somebody answers again

// ---- What the page shows

function say(name, text) {
  const element = find(name);
  element.querySelector("[data-text]").textContent = text;
  element.hidden = !text;
}

function refuse(text) {
  playRefused();
  find("offline-result").hidden = true;
  say("offline-refusal", text);
}

function fault(name, text) {
  say(`e-${name}`, text);
  const field = find(`f-${name}`);
  field.toggleAttribute("aria-invalid", Boolean(text));
  field.closest(".field").classList.toggle("wrong", Boolean(text));
  if (!text) return;
  playRefused();
  field.focus();
  field.select();
}

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);

function money(minor) {
  const { currency, exponent, used } = desk.money;
  const digits = minor % 10 ** exponent === 0 ? used : exponent;
  const shown = { style: "currency", currency, minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat(language, shown).format(minor / 10 ** exponent);
}

function said(item) {
  if (item.kind === "earn") return fill(words.purchase, { amount: money(item.amount) });
  if (item.kind === "redeem") return fill(words.used, { points: new Intl.NumberFormat(language).format(item.points) });
  return fill(words.stamp, { name: desk?.stamp_cards.find((one) => one.id === item.stamp_card)?.name ?? "" });
}

function draw() {
  const open = card !== null;
  root.classList.toggle("till-open", open);
  find("offline-code").hidden = open;
  find("offline-card").hidden = !open;
  find("offline-idle").hidden = open;
  find("offline-card").querySelector("[data-card]").textContent = open ? grouped(card) : "";
  find("offline-question").hidden = !question;
  find("offline-earn").hidden = !open || Boolean(question);
  find("offline-stamps").hidden = !open || !desk?.stamp_cards.length;
  find("offline-redeem").hidden = !open;
  tellNews();
  const focus = question ? find("offline-question").querySelector("button") : find(open ? "f-amount" : "f-code");
  if (window.matchMedia("(pointer: fine)").matches) focus.focus({ preventScroll: true });
}

function drawDesk() {
  document.querySelector("[data-place]").textContent = desk?.place.name ?? "";
  document.querySelector("[data-currency]").textContent = desk ? `(${desk.money.currency})` : "";
  find("f-amount").placeholder = desk?.money.example ?? "";
  const redeem = find("offline-redeem");
  const allowed = desk?.points_per_day ?? 0;
  redeem.querySelector("[data-allowed]").textContent = allowed ? fill(words.allowed, { points: allowed }) : words.offline_not_allowed;
  for (const part of redeem.querySelectorAll(".field, button")) part.hidden = !allowed;
  const list = find("offline-stamps").querySelector("[data-list]");
  list.replaceChildren(...(desk?.stamp_cards ?? []).map(({ id, name }) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button big wide";
    button.dataset.stamp = id;
    button.textContent = `+1 ${name}`;
    return button;
  }));
}

async function drawQueue() {
  const { items, unreadable } = await store.all();
  const badge = find("till-unsent");
  badge.hidden = items.length + unreadable === 0;
  badge.querySelector("[data-count]").textContent = String(items.length + unreadable);
  badge.classList.toggle("bad", items.length >= MOST);
  find("offline-none").hidden = items.length > 0;
  find("offline-list").replaceChildren(...items.slice(-50).reverse().map(line));
  if (last && !items.some((item) => item.id === last.id)) last = null;
  const warnings = [];
  if (!desk) warnings.push(words.nobody);
  if (items.length + unreadable >= MOST) warnings.push(words.full);
  if (items.some((item) => Date.now() - Date.parse(item.at) > OLDEST_MS)) warnings.push(words.old);
  if (unreadable) warnings.push(fill(words.unreadable, { n: unreadable }));
  say("offline-warning", warnings.join(" "));
  drawUndo();
}

function line(item) {
  const row = document.createElement("li");
  const when = new Date(item.at);
  const today = when.toDateString() === new Date().toDateString();
  const time = new Intl.DateTimeFormat(language, today ? { timeStyle: "short" } : { dateStyle: "short", timeStyle: "short" });
  const parts = [["span", "", desk ? said(item) : ""], ["span", "quiet small till-when", `${time.format(when)} · ···· ${item.code.slice(-4)}`]];
  if (item.problem) parts.push(["span", "till-problem small", item.problem.text]);
  row.append(...parts.map(([tag, name, text]) => Object.assign(document.createElement(tag), { className: name, textContent: text })));
  return row;
}

function drawUndo() {
  const button = find("offline-undo");
  const possible = desk !== null && last !== null && Date.now() - Date.parse(last.at) < UNDO_MS;
  button.hidden = !possible;
  if (possible) button.querySelector("[data-text]").textContent = fill(words.undo, { what: said(last) });
}

// ---- What a cashier does

function take(code) {
  camera.close();
  say("offline-refusal", "");
  find("offline-result").hidden = true;
  find("f-code").value = "";
  if (!desk) return refuse(words.nobody);
  const number = normalise(code);
  if (number === null) {
    next();
    return refuse(words.not_a_code);
  }
  next();
  card = number;
  return draw();
}

function next() {
  card = null;
  formKey = null;
  question = null;
  for (const name of ["amount", "points"]) fault(name, "");
  for (const name of ["f-amount", "f-receipt", "f-points"]) find(name).value = "";
  draw();
}

function earn(minor) {
  const limit = desk.limit;
  if (minor > limit) {
    question = null;
    draw();
    return fault("amount", fill(words.needs_manager, { amount: money(limit) }));
  }
  const receipt = find("f-receipt").value.trim().slice(0, LONGEST_RECEIPT);
  return keep({ kind: "earn", amount: minor, ...(receipt && { receipt }), ...(formKey && { key: formKey }) });
}

function readAmount() {
  const found = parse(find("f-amount").value, desk.money);
  fault("amount", "");
  if (found.refusal) return fault("amount", fill(words[`amount_${found.refusal}`], { example: desk.money.example }));
  if (!found.question) return earn(found.minor);
  question = found.question;
  find("offline-question").querySelectorAll("[data-pick]").forEach((button, at) => {
    button.querySelector("span").textContent = money(question[at]);
  });
  return draw();
}

async function readPoints() {
  const text = find("f-points").value.replace(/\s/g, "");
  fault("points", "");
  const points = /^[0-9]{1,7}$/.test(text) ? Number(text) : 0;
  if (!points) return fault("points", words.invalid_points);
  const left = desk.points_per_day - (await usedToday(card));
  if (points > left) return fault("points", fill(words.beyond_allowance, { points: Math.max(0, left) }));
  const day = today();
  const done = await keep({ kind: "redeem", points });
  if (done) await store.putNote("used", [...(await usedOn(day)), { code: done.code, points, day, id: done.id }]);
  return done;
}

// The allowance of a card counts what was sent meanwhile, too; only this day's uses are remembered.
const today = () => new Intl.DateTimeFormat("en-CA", { timeZone: desk.zone }).format(new Date());
const usedOn = async (day) => ((await store.note("used")) ?? []).filter((one) => one.day === day);
const usedToday = async (code) =>
  (await usedOn(today())).filter((one) => one.code === code).reduce((sum, one) => sum + one.points, 0);

async function keep(what) {
  const item = {
    id: crypto.randomUUID(), code: card, ...what, currency: desk.money.currency, at: new Date().toISOString(),
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC", cashier: desk.cashier, place: desk.place.id,
  };
  try {
    await store.keep(item);
  } catch (problem) {
    refuse(problem instanceof Full ? words.full : words.not_kept);
    return null;
  }
  last = item;
  next();
  playDone();
  say("offline-refusal", "");
  find("offline-result").querySelector("[data-what]").textContent = said(item);
  find("offline-result").hidden = false;
  await drawQueue();
  return item;
}

async function undo() {
  if (!last || find("offline-undo").hidden) return;
  const { items } = await store.all();
  const item = last;
  last = null;
  if (!items.some((one) => one.id === item.id)) return void refuse(words.sent_already);
  await store.remove([item.id]);
  if (item.kind === "redeem") await store.putNote("used", (await usedOn(today())).filter((one) => one.id !== item.id));
  find("offline-result").querySelector("[data-what]").textContent = fill(words.undone, { what: said(item) });
  find("offline-result").hidden = false;
  await drawQueue();
}

// ---- Whether anybody answers again

let looking;
async function look() {
  clearTimeout(looking);
  await alone(async () => {
    const found = await ask(root.dataset.state, SHORT_MS);
    if (found.state === "on") {
      const { csrf, conflicts, ...kept } = found.desk;
      await store.putNote("desk", kept);
      const isNew = JSON.stringify(desk) !== JSON.stringify(kept);
      desk = kept;
      if (isNew) drawDesk();
      const report = await send(store, root.dataset.sync, found.desk);
      if (report.state === "on") back(report, conflicts + report.conflicts);
      await drawQueue();
    } else if (found.state === "out" || found.state === "store") {
      if (found.state === "out") await forget();
      news = found.state === "out" ? words.sign_in : words.choose_store;
      tellNews();
      connected("on");
    } else {
      news = "";
      tellNews();
      connected("off");
    }
  });
  clearTimeout(looking);
  looking = setTimeout(look, LOOK_AGAIN_MS);
}

async function forget() {
  await store.forgetNotes("desk", "handover");
  desk = null;
  drawDesk();
  await drawQueue();
}

function back(report, conflicts) {
  connected("on");
  const said = [words.connected];
  if (report.sent) said.push(fill(words.sent, { n: report.sent }));
  if (conflicts) said.push(fill(words.conflicts, { n: conflicts }));
  if (Math.abs(report.clockOffS) > 300) said.push(fill(words.clock, { n: Math.round(Math.abs(report.clockOffS) / 60) }));
  if (!news || report.sent) news = said.join(" ");
  tellNews();
}

// It stands above everything else and moves it: not while somebody is typing an amount.
function tellNews() {
  if (card === null || !news) say("offline-back", news);
}

function connected(state) {
  if (state === connection) return;
  connection = state;
  document.querySelector("[data-on]").hidden = state !== "on";
  document.querySelector("[data-off]").hidden = state === "on";
}

// ---- Keys, scanner, camera

const ACTIONS = {
  F2: () => find("f-code").focus(),
  F3: () => find("f-amount").focus(),
  F4: () => find("f-points").focus(),
  F6: () => document.querySelector("[data-stamp]")?.click(),
  F8: undo,
  Escape: () => (camera.isOpen ? camera.close() : question ? ((question = null), draw()) : next()),
};

const panel = find("till-camera");
const camera = new Camera(panel, {
  onCode: take,
  words: {
    NotAllowedError: panel.dataset.refused, NotFoundError: panel.dataset.none, NotReadableError: panel.dataset.busy,
    insecure: panel.dataset.insecure, other: panel.dataset.other,
  },
});
let picking;
const wedge = new Wedge({ gapMs: storedGap(), onScan: take, onBegin: () => clearTimeout(picking) });

function listen() {
  wedge.listen(window);
  window.addEventListener("keydown", (event) => {
    clearTimeout(picking);
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key in ACTIONS) {
      event.preventDefault();
      ACTIONS[event.key]();
    } else if (/^[12]$/.test(event.key) && question) {
      // A digit may be the first character of a scan; wait until nothing follows.
      picking = setTimeout(() => question && earn(question[Number(event.key) - 1]), 130);
    }
  });
  const submitted = (name, work) => find(name).addEventListener("submit", (event) => {
    event.preventDefault();
    work();
  });
  submitted("offline-code", () => take(find("f-code").value));
  submitted("offline-earn", readAmount);
  submitted("offline-redeem", readPoints);
  find("offline-question").addEventListener("click", (event) => {
    const button = event.target.closest("[data-pick]");
    if (button && question) earn(question[Number(button.dataset.pick) - 1]);
  });
  find("offline-stamps").addEventListener("click", (event) => {
    const button = event.target.closest("[data-stamp]");
    if (button) keep({ kind: "stamp", stamp_card: button.dataset.stamp });
  });
  document.querySelector("[data-next]").addEventListener("click", next);
  find("offline-undo").addEventListener("click", undo);
  document.addEventListener("click", (event) => event.target.closest("[data-camera-open]") && camera.open());
}

async function takeOver() {
  const handover = await store.note("handover");
  await store.forgetNotes("handover");
  if (!handover?.code || normalise(handover.code) === null || !desk) return;
  take(handover.code);
  formKey = handover.key || null;
  find("f-receipt").value = handover.receipt;
  find("f-amount").value = handover.minor ? String(Number(handover.minor) / 10 ** desk.money.exponent) : handover.amount;
}

async function begin() {
  listen();
  try {
    store = await Store.open();
  } catch {
    return say("offline-warning", words.not_kept);
  }
  desk = await store.note("desk");
  drawDesk();
  draw();
  document.querySelector("[data-camera-open]").hidden = !("BarcodeDetector" in window);
  await takeOver();
  await drawQueue();
  document.documentElement.dataset.till = "offline"; // keys are shown where scripts hear them
  document.documentElement.dataset.offline = "ready";
  window.addEventListener("online", () => look());
  return look();
}

begin();
