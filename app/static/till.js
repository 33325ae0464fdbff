// The till: scanner, camera, keys. Every action is a form that also works without this file.

import { Camera } from "./till/camera.js";
import { approve, switchPerson } from "./till/people.js";
import { Screen } from "./till/screen.js";
import { Wedge, storedGap, storeGap } from "./till/scanner.js";

const PICK_WAIT_MS = 130;

const root = document.getElementById("till-screen");
const screen = new Screen(root);
const $ = (selector) => root.querySelector(selector);

// So that a scan that is sent again, because no answer came, uses its code once.
function freshKey() {
  return `scan-${[...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(16)).join("-")}`;
}

function open(code) {
  camera.close();
  document.querySelector("[popover]:popover-open")?.hidePopover();
  // What the code is for depends on the card that is open once everything before it has been answered.
  screen.settled().then(() => {
    const body = new FormData();
    body.set("csrf_token", root.dataset.csrf);
    body.set("code", code);
    body.set("card", root.firstElementChild.dataset.serial ?? "");
    body.set("basket", $("[data-amount]")?.value ?? "");
    body.set("key", freshKey());
    screen.send(root.dataset.scan, { method: "POST", body });
  });
}

let picking;
const wedge = new Wedge({ gapMs: storedGap(), onScan: open, onBegin: () => clearTimeout(picking) });
wedge.listen(window);

const panel = document.getElementById("till-camera");
const words = {
  NotAllowedError: panel.dataset.refused,
  NotFoundError: panel.dataset.none,
  NotReadableError: panel.dataset.busy,
  insecure: panel.dataset.insecure,
  other: panel.dataset.other,
};
const camera = new Camera(panel, { onCode: open, words });
document.addEventListener("click", (event) => event.target.closest("[data-camera-open]") && camera.open());

const gap = document.getElementById("till-gap");
gap.value = String(wedge.gapMs);
gap.addEventListener("change", () => {
  wedge.setGap(Number(gap.value));
  storeGap(wedge.gapMs);
});

// A typed code is tidied as it grows: capitals, groups of four, O for 0, I and L for 1.
root.addEventListener("input", (event) => {
  const field = event.target;
  if (!field.matches("[data-code]") || /[@+]/.test(field.value) || field.selectionStart !== field.value.length) return;
  const bare = field.value.replace(/[a-z]/g, (letter) => letter.toUpperCase()).replace(/^LY1:/, "");
  if (!/^[0-9A-Z -]*$/.test(bare)) return;
  const symbols = bare.replace(/[ -]/g, "").replace(/O/g, "0").replace(/[IL]/g, "1");
  if (symbols.length <= 11) field.value = symbols.replace(/(.{4})(?=.)/g, "$1 ");
});

const isTyping = () => document.activeElement?.matches("input, textarea, select");

function pick(digit) {
  root.querySelector(`[data-pick="${digit}"]:not(:disabled)`)?.click();
}

const ACTIONS = {
  F1: () => document.getElementById("till-help").showPopover(),
  F2: () => ($("[data-code]") ?? $("[data-back]"))?.focus(),
  F3: () => $("[data-amount]")?.focus(),
  F4: () => $(".till-choices [data-pick]:not(:disabled)")?.focus(),
  F5: () => $("[data-collect]")?.click(),
  F6: () => $("[data-stamp]")?.click(),
  F7: () => openStamps(),
  F8: () => screen.settled().then(() => $("[data-undo]:not(:disabled)")?.click()),
  F9: approve,
  F10: switchPerson,
  F11: () => document.querySelector("[data-day]")?.click(),
  F12: () => document.getElementById("till-help").showPopover(),
  Escape: () => back(),
};

const WITH_SHIFT = {
  F3: () => $("[data-money]")?.click(),
  F4: () => openCode(),
  F8: () => $("[data-return]")?.click(),
};

function openCode() {
  const more = $("[data-use-code]");
  if (!more) return;
  more.open = true;
  more.querySelector("[name=code]").focus();
}

function openStamps() {
  const more = $("[data-stamps]");
  if (!more) return;
  more.open = true;
  more.querySelector("[name=count]").focus();
}

// The best offer first, then the next one, then none.
function turnDeals() {
  const all = [...root.querySelectorAll("[data-deal]")];
  const at = all.findIndex((one) => one.checked);
  all.forEach((one, place) => (one.checked = place === at + 1));
}

function walk(by) {
  const all = [...root.querySelectorAll("[data-pick]:not(:disabled)")];
  const at = all.indexOf(document.activeElement);
  if (at >= 0) all[(at + by + all.length) % all.length].focus();
  return at >= 0;
}

function back() {
  if (camera.isOpen) camera.close();
  else if (document.querySelector("[popover]:popover-open")) document.querySelector("[popover]:popover-open").hidePopover();
  else $("[data-back]")?.click();
}

window.addEventListener("keydown", (event) => {
  clearTimeout(picking);
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "F5" && !$("[data-collect]")) return;
  if (event.shiftKey && event.key in WITH_SHIFT) {
    event.preventDefault();
    if (!event.repeat) WITH_SHIFT[event.key]();
  } else if (event.key in ACTIONS) {
    event.preventDefault();
    // A key that is held down does its work once.
    if (!event.repeat) ACTIONS[event.key]();
  } else if ((event.key === "ArrowDown" && walk(1)) || (event.key === "ArrowUp" && walk(-1))) {
    event.preventDefault();
  } else if (event.key === "+" && $("[data-deal]") && (document.activeElement?.matches("[data-amount], [data-deal]") || !isTyping())) {
    event.preventDefault();
    turnDeals();
  } else if (/^[1-9]$/.test(event.key) && !isTyping()) {
    // A digit may be the first character of a scan; wait until nothing follows.
    picking = setTimeout(() => pick(event.key), PICK_WAIT_MS);
  }
});
document.documentElement.dataset.till = "ready";
