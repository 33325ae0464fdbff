// On the till's page: keeps the offline page at hand, shows what waits to be sent and sends it, and offers to go on
// without a connection when no answer comes.

import { MOST, OLDEST_MS, Store } from "./offline_store.js";
import { alone, ask, send } from "./offline_sync.js";

const AGAIN_MS = 30000;
const badge = document.getElementById("till-unsent");
const strip = document.getElementById("till-told");
const { worker, state, sync, page } = badge.dataset;
const words = strip.dataset;
let store = null;

async function begin() {
  if ("serviceWorker" in navigator) {
    const scope = new URL(badge.href).pathname.replace(/\/offline$/, "");
    navigator.serviceWorker.register(worker, { scope }).catch(() => undefined);
  }
  store = await Store.open().catch(() => null);
  if (!store) return;
  document.addEventListener("till:kept", show);
  await show();
  await bring();
  setInterval(async () => (await store.count()) && bring(), AGAIN_MS);
  document.documentElement.dataset.offline = "ready";
}

async function show() {
  const count = await store.count();
  badge.hidden = count === 0;
  badge.querySelector("[data-count]").textContent = String(count);
  badge.classList.toggle("bad", count >= MOST);
}

// Ask who is here and what is allowed, keep that for the time without a connection, and send what waits.
async function bring() {
  await alone(async () => {
    const found = await ask(state);
    if (found.state === "out") await store.forgetNotes("desk", "handover");
    if (found.state !== "on") return;
    const { csrf, conflicts, ...kept } = found.desk;
    await store.putNote("desk", kept);
    const report = await send(store, sync, found.desk);
    conflictsNow(conflicts + report.conflicts);
    tell(report, await store.all());
  });
}

function conflictsNow(count) {
  const link = document.getElementById("till-conflicts");
  link.hidden = count === 0;
  link.querySelector("[data-count]").textContent = String(count);
}

function tell(report, { items, unreadable }) {
  const said = [];
  if (report.sent) said.push(words.sent.replace("{n}", report.sent));
  if (report.clockOffS && Math.abs(report.clockOffS) > 300) said.push(words.clock.replace("{n}", Math.round(Math.abs(report.clockOffS) / 60)));
  if (items.some((item) => item.problem)) said.push(words.problem);
  if (items.some((item) => Date.now() - Date.parse(item.at) > OLDEST_MS)) said.push(words.old);
  if (unreadable) said.push(words.unreadable.replace("{n}", unreadable));
  strip.querySelector("[data-text]").textContent = said.join(" ");
  strip.hidden = said.length === 0;
}

// What was being typed goes along, with the key of its form: should the lost request arrive after all, it counts once.
async function leave(detail) {
  const body = detail?.options?.body;
  const fields = body instanceof FormData ? Object.fromEntries(body) : {};
  const open = document.querySelector("[data-number]")?.dataset.number ?? "";
  const isEarn = /\/earn$/.test(detail?.address ?? "");
  const handover = {
    code: fields.code ?? open,
    minor: (isEarn && fields.minor) || "",
    amount: (isEarn && fields.amount) || document.querySelector("[name=amount]")?.value || "",
    receipt: (isEarn && fields.receipt) || "",
    key: isEarn ? (fields.key ?? "") : "",
  };
  await store.putNote("handover", handover).catch(() => undefined);
  window.location.assign(`${page}?now`);
}

function offer(detail) {
  if (!store || document.querySelector("[data-go-offline]")) return;
  const status = document.getElementById("till-status");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button";
  button.dataset.goOffline = "";
  button.textContent = words.offer;
  button.addEventListener("click", () => leave(detail));
  if (status.hidden) status.textContent = words.lost;
  status.hidden = false;
  status.append(button);
}

for (const name of ["till:slow", "till:lost"]) document.addEventListener(name, (event) => offer(event.detail));
window.addEventListener("offline", () => offer(null));
window.addEventListener("online", () => store && bring());
document.addEventListener("till:person", () => store && bring());
// Whoever signs out takes their name for offline sales along; what waits stays, and somebody else may send it.
document.addEventListener("submit", (event) => {
  if (/\/logout(\?|$)/.test(event.target.action)) store?.forgetNotes("desk", "handover");
}, { capture: true });

begin();
