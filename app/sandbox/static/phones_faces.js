// The cards' faces: the Apple one from what the .pkpass says, the Google one from the stored class and object.

import { h } from "./phones_dom.js";

const SLOTS = 4;
const UNSHRUNK = 9; // characters that a field of a crowded row keeps while longer ones give way

export function applePass(card, { open, flipped }) {
  const style = {
    "--pass": card.colours.background,
    "--pass-ink": card.colours.foreground,
    "--pass-label": card.colours.label || card.colours.foreground,
  };
  const kind = `pass${open ? " is-open" : ""}${flipped ? " is-flipped" : ""}${card.voided || card.expired ? " is-over" : ""}`;
  return h("article", { class: kind, "data-key": card.id, style, "aria-label": card.description },
    h("div", { class: "pass-turn" },
      h("div", { class: "pass-side pass-front", inert: flipped },
        passTop(card),
        open ? passBody(card) : null,
        open ? turnButton(card, "Show the back of the card", "i") : null),
      open ? h("div", { class: "pass-side pass-back", inert: !flipped }, passBack(card)) : null));
}

function passTop(card) {
  return h("button", { class: "pass-top", type: "button", "data-do": "open", "data-phone": "apple", "data-id": card.id },
    h("span", { class: "pass-logo" },
      card.images.logo ? h("img", { src: card.images.logo, alt: "" }) : null,
      h("span", { class: "pass-name" }, card.logo_text || (card.images.logo ? "" : card.organisation))),
    h("span", { class: "pass-head" }, card.groups.header.map((field) => passField(field))));
}

function passBody(card) {
  const primary = card.groups.primary[0];
  const row = [...card.groups.secondary, ...card.groups.auxiliary].slice(0, SLOTS);
  return h("div", { class: "pass-body" },
    card.images.strip || primary
      ? h("div", { class: `pass-strip${card.images.strip ? " has-strip" : ""}` },
          card.images.strip ? h("img", { src: card.images.strip, alt: "" }) : null,
          primary ? passField(primary, "pass-primary") : null)
      : null,
    row.length ? h("div", { class: `pass-row${row.length > 2 ? " is-crowded" : ""}` }, row.map((field) => passField(field))) : null,
    over(card),
    h("div", { class: "pass-gap" }),
    barcode(card.barcode));
}

function over(card) {
  if (!card.voided && !card.expired) return null;
  return h("p", { class: "pass-over" }, card.voided ? "This card is no longer valid" : "This card has expired");
}

function passField(field, kind = "") {
  const give = Math.max(0.02, Math.max(field.text.length, field.label.length) - UNSHRUNK);
  return h("span", { class: `field ${kind} ${field.align ? `to-${field.align}` : ""}`, "data-key": field.key, style: { "--give": String(give) } },
    h("span", { class: "field-label" }, field.label),
    h("span", { class: "field-value", "data-key": `${field.key}=${field.text}`, title: field.text }, field.text));
}

export function barcode(code) {
  if (!code) return null;
  return h("div", { class: `code ${code.square ? "code-square" : "code-wide"}` },
    h("img", { src: code.url, alt: `Barcode: ${code.message}`, "data-key": code.url }),
    code.text ? h("span", { class: "code-text" }, code.text) : null);
}

function turnButton(card, label, sign) {
  return h("button", { class: "turn", type: "button", "aria-label": label, "data-do": "flip", "data-phone": "apple", "data-id": card.id }, sign);
}

function passBack(card) {
  return h("div", { class: "back" },
    h("div", { class: "back-head" },
      h("strong", {}, card.organisation),
      h("button", { class: "done", type: "button", "data-do": "flip", "data-phone": "apple", "data-id": card.id }, "Done")),
    h("div", { class: "back-scroll", tabindex: "0", role: "group", "aria-label": "Back of the card" },
      card.groups.back.length ? h("dl", { class: "back-fields" }, card.groups.back.map(backField)) : null,
      verdict(card)));
}

function backField(field) {
  const words = field.parts.length
    ? field.parts.map((part) => (part.href ? h("a", { href: part.href, target: "_blank", rel: "noopener noreferrer" }, part.text) : part.text))
    : detectLinks(field.text);
  return h("div", { "data-key": field.key },
    h("dt", {}, field.label),
    h("dd", {}, words));
}

function detectLinks(text) {
  return text.split(/(https?:\/\/[^\s]+)/).map((piece, index) =>
    index % 2 ? h("a", { href: piece, target: "_blank", rel: "noopener noreferrer" }, piece) : piece);
}

function verdict(card) {
  const signature = card.signature;
  const good = signature.valid;
  const rows = [
    ["Signed by", signature.signer],
    ["Team", signature.team],
    ["Issued by", signature.issuer],
    ["Certificate until", day(signature.valid_until)],
    ["Signed at", moment(signature.signed_at)],
    ["Checked with", `${signature.judge}, ${signature.digest}`],
    ["Size", `${Math.round(card.size_bytes / 1024)} KB`],
    ["Serial", card.id],
    ["Updates", !card.updates_itself ? "none" : card.registered ? "registered" : "not registered"],
  ].filter((row) => row[1]);
  return h("section", { class: "verdict" },
    h("p", { class: `stamp ${good ? "stamp-good" : "stamp-bad"}` }, h("span", { "aria-hidden": "true" }, good ? "✓" : "!"), good ? "Signature valid" : "Signature not valid"),
    h("dl", {}, rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
    card.findings.length
      ? h("ul", { class: "findings" }, card.findings.map((finding) => h("li", {}, finding.text)))
      : h("p", { class: "findings-none" }, "No findings: Wallet takes everything in this pass."));
}

export function googleCard(card) {
  const style = { "--pass": card.colour, "--pass-ink": inkOn(card.colour) };
  const points = card.points.map((item, index) => plainField(item, `p${index}`));
  const tiers = card.tiers.map((item, index) => plainField(item, `t${index}`));
  const name = card.account.find((item) => item.value);
  return h("article", { class: `gcard${card.state === "ACTIVE" ? "" : " is-over"}`, "data-key": card.id, "aria-label": card.programme, style },
    h("div", { class: "gface" },
      h("div", { class: "gtop" },
        h("span", { class: "glogo", "aria-hidden": "true" }, card.programme.slice(0, 1), card.logo ? h("img", { src: card.logo, alt: "" }) : null),
        h("span", { class: "gname" }, card.issuer)),
      h("p", { class: "gprogramme" }, card.programme),
      h("div", { class: "grow" }, points, tiers),
      card.state === "ACTIVE" ? null : h("p", { class: "pass-over" }, "This card is no longer active"),
      h("div", { class: "gcode" }, barcode(card.barcode)),
      card.hero ? h("img", { class: "ghero", src: card.hero, alt: "" }) : null),
    h("div", { class: "gdetails" },
      card.messages.length ? h("ul", { class: "gmessages" }, card.messages.map((item) => gnote(item, "message"))) : null,
      card.offers.length ? h("ul", { class: "goffers" }, card.offers.map((item) => gnote(item, "offer"))) : null,
      h("dl", { class: "gtexts" },
        card.texts.map((item) => h("div", {}, h("dt", {}, item.header), h("dd", {}, item.body))),
        name ? card.account.map((item) => h("div", {}, h("dt", {}, item.label), h("dd", {}, item.value))) : null),
      card.links.length
        ? h("ul", { class: "glinks" }, card.links.map((item) => h("li", {}, item.uri ? h("a", { href: item.uri, target: "_blank", rel: "noopener noreferrer" }, item.text) : item.text)))
        : null));
}

function plainField(item, key) {
  return h("span", { class: "field", "data-key": key },
    h("span", { class: "field-label" }, item.label),
    h("span", { class: "field-value", "data-key": `${key}=${item.value}` }, item.value));
}

function gnote(item, kind) {
  return h("li", { class: `gnote gnote-${kind}` }, item.header ? h("strong", {}, item.header) : null, item.body ? h("span", {}, item.body) : null);
}

/** Black or white, whichever is the more readable on the colour. */
function inkOn(colour) {
  const digits = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(colour || "")?.[1];
  if (!digits) return "#fff";
  const six = digits.length === 3 ? [...digits].map((digit) => digit + digit).join("") : digits;
  const [r, g, b] = [0, 2, 4].map((at) => {
    const part = parseInt(six.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#111" : "#fff";
}

function day(text) {
  return text ? new Date(text).toLocaleDateString("en-GB", { dateStyle: "medium" }) : "";
}

function moment(text) {
  return text ? new Date(text).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" }) : "";
}
