// Sends the till's forms without leaving the page. The server draws every state; this puts it in place.

import { fingers, withoutKeyboard } from "./fingers.js";
import { playDone, playRefused } from "./sound.js";

const isAction = (target) => target.closest("button[type=submit], button:not([type]), a[data-till]");

function hush(event) {
  event.preventDefault();
  event.stopPropagation();
}

const SHOW_WORK_MS = 300;
const SLOW_MS = 3000;

export class Screen {
  constructor(root) {
    this.root = root;
    this.status = document.getElementById("till-status");
    this.connection = document.getElementById("till-connection");
    this.queue = Promise.resolve();
    this.sending = 0;
    root.addEventListener("submit", (event) => this.submit(event));
    // The second tap of a double tap would meet whatever has come under the finger meanwhile, and an undo that is
    // pressed while something is on its way would undo what was before it.
    root.addEventListener("click", (event) => this.isAstray(event) && hush(event), { capture: true });
    root.addEventListener("click", (event) => this.follow(event));
    fingers(root, (form) => this.reckon(form));
    for (const name of ["online", "offline"]) window.addEventListener(name, () => this.connected(navigator.onLine));
    window.addEventListener("popstate", () => window.location.reload());
    this.connected(navigator.onLine);
    this.arrived();
  }

  isAstray({ detail, target }) {
    if (target.closest("[data-undo]") && this.sending) return true;
    return detail > 1 && isAction(target);
  }

  // When all that was pressed has been answered: what an undo would undo is known only then.
  settled() {
    return this.queue;
  }

  submit(event) {
    const form = event.target;
    for (const field of form.querySelectorAll("[data-carry]")) field.value = this.root.querySelector("[data-amount]")?.value ?? "";
    if (form.dataset.whole !== undefined) return;
    event.preventDefault();
    const body = new FormData(form, event.submitter);
    const method = form.method.toUpperCase();
    // What a reward may pay depends on the purchase beside it.
    if (form.dataset.basket !== undefined) body.set("basket", this.root.querySelector("[data-amount]")?.value ?? "");
    // The keys of a form are spent with its first sending; a second press repeats the same key and books nothing.
    this.send(form.action, method === "GET" ? {} : { method, body });
  }

  follow(event) {
    const link = event.target.closest("a[data-till]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    this.send(link.href, {});
  }

  // One request after the other: a scan during a booking waits for its answer.
  send(address, options) {
    this.queue = this.queue.then(() => this.exchange(address, options));
    return this.queue;
  }

  async exchange(address, options) {
    const working = setTimeout(() => this.root.setAttribute("aria-busy", "true"), SHOW_WORK_MS);
    const slow = setTimeout(() => {
      this.say(this.root.dataset.slow);
      this.tell("till:slow", { address, options });
    }, SLOW_MS);
    this.sending += 1;
    try {
      const answer = await fetch(address, { ...options, headers: { "X-Requested-With": "fetch" } });
      this.connected(true);
      await this.show(answer);
    } catch {
      this.connected(false);
      this.offerAgain(address, options);
      this.tell("till:lost", { address, options });
    } finally {
      clearTimeout(working);
      clearTimeout(slow);
      this.sending -= 1;
      this.root.removeAttribute("aria-busy");
    }
  }

  async show(answer) {
    if (answer.status === 401) {
      window.location.assign("/login?next=/till");
      return;
    }
    if (answer.headers.get("X-Till-Go")) {
      window.location.assign(answer.headers.get("X-Till-Go"));
      return;
    }
    const html = await answer.text();
    if (!answer.headers.get("X-Till-Screen")) {
      playRefused();
      this.say(this.root.dataset.reload);
      return;
    }
    const page = new DOMParser().parseFromString(html, "text/html");
    this.root.replaceChildren(...page.body.childNodes);
    const path = this.root.firstElementChild.dataset.path;
    if (path && path !== window.location.pathname + window.location.search) history.replaceState(null, "", path);
    this.say("");
    this.arrived();
    const { outcome } = this.root.firstElementChild.dataset;
    if (outcome === "done") playDone();
    if (outcome === "refused") playRefused();
  }

  arrived() {
    withoutKeyboard(this.root);
    const first = this.root.querySelector("[data-focus]");
    const typing = window.matchMedia("(pointer: fine)").matches;
    // A field that opens no keyboard of the system (it has a pad) can have the focus everywhere.
    if (first && (typing || first.inputMode === "none")) first.focus({ preventScroll: true });
    this.countDown();
    this.root.dispatchEvent(new CustomEvent("till:arrived", { bubbles: true }));
  }

  // What would go with the pieces that are chosen now; only that part is redrawn, so that nothing moves.
  async reckon(form) {
    const body = new FormData(form);
    body.set("act", "reckon");
    const asked = (this.reckoned = (this.reckoned ?? 0) + 1);
    try {
      const answer = await fetch(form.action, { method: "POST", body, headers: { "X-Requested-With": "fetch" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const [fresh, old] = [page.getElementById("till-goes"), document.getElementById("till-goes")];
      if (asked === this.reckoned && fresh && old) old.replaceWith(fresh);
    } catch {
      this.connected(false);
    }
  }

  countDown() {
    clearInterval(this.ticking);
    const clocks = [...this.root.querySelectorAll("[data-seconds-left]")].map((clock) => ({
      clock,
      endsAt: performance.now() + Number(clock.dataset.secondsLeft) * 1000,
    }));
    if (!clocks.length) return;
    const tick = () => clocks.forEach(({ clock, endsAt }) => this.showLeft(clock, endsAt));
    tick();
    this.ticking = setInterval(tick, 1000);
  }

  showLeft(clock, endsAt) {
    const left = Math.max(0, Math.round((endsAt - performance.now()) / 1000));
    clock.textContent = left || !clock.dataset.over
      ? `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`
      : clock.dataset.over;
    if (!left) for (const button of clock.closest("form").querySelectorAll("[data-ends]")) button.disabled = true;
  }

  connected(yes) {
    this.connection.dataset.state = yes ? "on" : "off";
    this.connection.querySelector("[data-on]").hidden = !yes;
    this.connection.querySelector("[data-off]").hidden = yes;
  }

  offerAgain(address, options) {
    playRefused();
    this.say(this.root.dataset.lost);
    const again = document.createElement("button");
    again.type = "button";
    again.className = "button";
    again.textContent = this.root.dataset.again;
    again.addEventListener("click", () => this.send(address, options));
    this.status.append(again);
    again.focus();
  }

  // What happens to requests, for whoever can help: `address` and `options` as they were given to `send`.
  tell(name, detail) {
    document.dispatchEvent(new CustomEvent(name, { detail }));
  }

  say(text) {
    this.status.textContent = text;
    this.status.hidden = !text;
  }
}
