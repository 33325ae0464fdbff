// A wedge scanner types: fast, from any keyboard layout, wherever the focus is. This tells it from people.

const SHIFTED_DIGITS = ")!@#$%^&*(";
const SIGNS = {
  Minus: "-_", Equal: "=+", Semicolon: ";:", Quote: "'\"", Comma: ",<", Period: ".>", Slash: "/?",
  Backslash: "\\|", BracketLeft: "[{", BracketRight: "]}", Backquote: "`~", Space: "  ",
  NumpadDecimal: "..", NumpadAdd: "++", NumpadSubtract: "--", NumpadMultiply: "**", NumpadDivide: "//",
};

// The character that a US keyboard gives for this physical key: scanners send key positions, and the
// computer's layout turns them into something else ("ı" for I in Turkish, "&" for 1 in French).
export function usCharacter(event) {
  const { code, shiftKey } = event;
  if (/^Key[A-Z]$/.test(code)) return shiftKey ? code[3] : code[3].toLowerCase();
  if (/^Digit\d$/.test(code)) return shiftKey ? SHIFTED_DIGITS[Number(code[5])] : code[5];
  if (/^Numpad\d$/.test(code)) return code[6];
  if (code in SIGNS) return SIGNS[code][shiftKey ? 1 : 0];
  if (!code && [...event.key].length === 1) return event.key;
  return "";
}

const GAP_SETTING = "tessera.till.scanGapMs";

// The pause that this browser's scanner was set to; private windows keep no settings.
export function storedGap() {
  try {
    return Number(localStorage.getItem(GAP_SETTING)) || 50;
  } catch {
    return 50;
  }
}

export function storeGap(gapMs) {
  try {
    localStorage.setItem(GAP_SETTING, String(gapMs));
  } catch {
    // The choice holds until the page is left.
  }
}

const isText = (element) => element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement;
const SHORTEST = 6;
const SAME_CODE_MS = 2000;
const LATE_ENTER_MS = 400;
const BLUETOOTH_MS = 100;
const JITTER_MS = 20; // a Bluetooth scanner set to 100 ms is now and then a little later

const NOTHING = { text: "", at: -Infinity };

export class Wedge {
  // gapMs: the longest pause between two characters of one scan (50; up to 100 for Bluetooth).
  // onBegin is called when it is sure that this is a scan, onScan with its text.
  constructor({ gapMs = 50, onScan, onBegin = () => undefined }) {
    this.setGap(gapMs);
    this.onScan = onScan;
    this.onBegin = onBegin;
    this.last = NOTHING;
    this.torn = NOTHING;
    this.enterSwallowedUntil = -Infinity;
    this.reset();
  }

  setGap(gapMs) {
    this.gapMs = Math.min(BLUETOOTH_MS, Math.max(10, gapMs));
    this.longestMs = this.gapMs === BLUETOOTH_MS ? BLUETOOTH_MS + JITTER_MS : this.gapMs;
    this.silenceMs = Math.max(100, this.longestMs + 30);
  }

  reset() {
    clearTimeout(this.timer);
    this.text = "";
    this.at = -Infinity;
    this.field = null;
  }

  listen(target) {
    target.addEventListener("keydown", (event) => this.key(event), { capture: true });
    target.addEventListener("keyup", (event) => this.keyUp(event), { capture: true });
  }

  get scanning() {
    return this.text.length >= SHORTEST;
  }

  key(event) {
    if (event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return this.reset();
    if (event.key === "Shift" || event.key === "CapsLock") return undefined;
    if (event.code === "Enter" || event.code === "NumpadEnter" || event.code === "Tab" || event.key === "Enter") {
      return this.terminator(event);
    }
    // A key held down repeats as fast as a scanner types.
    const character = event.repeat ? "" : usCharacter(event);
    if (!character) return this.reset();
    return this.take(event, character);
  }

  take(event, character) {
    if (event.timeStamp - this.at > this.longestMs) this.begin();
    if (event.timeStamp - this.torn.at <= this.longestMs) [this.text, this.last] = [this.torn.text, this.torn.last];
    this.torn = NOTHING;
    this.text += character;
    this.at = event.timeStamp;
    clearTimeout(this.timer);
    if (!this.scanning) return;
    this.swallow(event);
    if (this.text.length === SHORTEST) {
      this.putBack();
      this.onBegin();
    }
    this.wait();
  }

  // A page that is busy hears keys late: silence counts only once every key that was pressed has been heard.
  wait() {
    this.timer = setTimeout(() => {
      if (navigator.scheduling?.isInputPending?.()) this.wait();
      else this.tear();
    }, this.silenceMs);
  }

  // Silence ended it, as scanners without Enter mean it. Where the machine was late and not the scanner, the keys that
  // are still to come say when they were pressed, and the whole is taken then.
  tear() {
    const torn = { text: this.text, at: this.at, last: this.last };
    this.finish();
    this.torn = torn;
  }

  begin() {
    this.reset();
    const element = document.activeElement;
    if (isText(element)) {
      this.field = { element, value: element.value, from: element.selectionStart, to: element.selectionEnd };
    } else if (element instanceof HTMLSelectElement) {
      this.field = { element, value: element.value, from: null, to: null }; // letters choose among its options
    }
  }

  // The first characters went into the field before anybody could know; the field gets back what it held.
  putBack() {
    if (!this.field || this.field.element.value === this.field.value) return;
    const { element, value, from, to } = this.field;
    element.value = value;
    if (from !== null) element.setSelectionRange(from, to);
    element.dispatchEvent(new Event("input", { bubbles: true }));
  }

  terminator(event) {
    if (this.scanning && event.timeStamp - this.at <= this.silenceMs) {
      this.swallow(event);
      this.finish();
      this.enterSwallowedUntil = event.timeStamp + 50;
    } else if (event.timeStamp < this.enterSwallowedUntil) {
      this.swallow(event);
    } else {
      this.reset();
    }
  }

  keyUp(event) {
    if (event.timeStamp < this.enterSwallowedUntil && event.code === "Enter") this.swallow(event);
  }

  finish() {
    const text = this.text.trim().replace(/^\][A-Za-z][0-9A-Za-z]/, "");
    const at = performance.now();
    this.reset();
    // A Bluetooth scanner may send its Enter late; it must not confirm anything on the next screen.
    this.enterSwallowedUntil = at + LATE_ENTER_MS;
    if (text === this.last.text && at - this.last.at < SAME_CODE_MS) return;
    this.last = { text, at };
    this.onScan(text);
  }

  swallow(event) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
}
