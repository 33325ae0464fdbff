// The till's pages without its screen (money, slips, the day, notices): a scan opens its card from there too.

import { Wedge, storedGap } from "./scanner.js";

const form = document.getElementById("till-scan");
const RECEIPTS = "[name=receipt], [name=funding_reference]";
const isCard = (text) => /^(LY1:)?[0-9A-Z]{11}$/i.test(text.replace(/[ -]/g, ""));

// A field that asks for a card takes what is scanned into it; one that asks for a receipt does, unless that is a card.
function took(text) {
  const field = document.activeElement;
  if (field?.matches("[name=code]") || (field?.matches(RECEIPTS) && !isCard(text))) {
    field.value = text;
    return;
  }
  form.elements.code.value = text;
  form.elements.key.value = `scan-${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;
  form.requestSubmit();
}

new Wedge({ gapMs: storedGap(), onScan: took }).listen(window);
form.dataset.ready = "yes";
