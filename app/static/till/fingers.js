// What fingers press without sending anything: the pad of digits, and the steps of pieces that come back.

const RECKON_AFTER_MS = 200;

function press(field, digit) {
  const value = digit === "back" ? field.value.slice(0, -1) : field.value + digit;
  if (value.length > field.maxLength) return;
  field.value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

function step(button) {
  const field = button.parentElement.querySelector("input");
  const most = Number(field.dataset.most);
  const wanted = (Number.parseInt(field.value, 10) || 0) + Number(button.dataset.step);
  field.value = String(Math.min(Math.max(wanted, 0), most));
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

export function fingers(root, reckon) {
  let waiting;
  root.addEventListener("click", (event) => {
    const digit = event.target.closest("[data-digit]");
    if (digit) press(root.querySelector("[data-amount]"), digit.dataset.digit);
    const stepped = event.target.closest("[data-step]");
    if (stepped) step(stepped);
  });
  root.addEventListener("input", (event) => {
    const form = event.target.closest("form[data-reckon]");
    if (!form) return;
    clearTimeout(waiting);
    waiting = setTimeout(() => form.isConnected && reckon(form), RECKON_AFTER_MS);
  });
}

const TOUCH = navigator.maxTouchPoints > 0;

// Where there is a pad, the keyboard of the system stays away: it would cover the buttons.
export function withoutKeyboard(root) {
  document.documentElement.toggleAttribute("data-touch", TOUCH);
  const field = root.querySelector("[data-amount]");
  if (field && TOUCH) field.inputMode = "none";
}
