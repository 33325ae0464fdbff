// Amounts as people type them, read as the server reads them: what could be two things is asked, never guessed.
// money: {currency, exponent, used (decimals people write), largest (minor units)}.

const LONGEST = 24;
const SPACES = /[ \u00a0\u202f\u2009\t'’]/g;
const SHAPE = /^[0-9]*(?:[.,][0-9]+)*$/;
const SIGNS = ["₺", "TL", "Rp.", "Rp", "$", "€", "£"];

// → {minor} or {question: [minor as thousands, minor as decimals]} or {refusal: "invalid" | "zero" | "large"}
export function parse(text, money) {
  const clean = bare(text.replace(SPACES, ""), money.currency);
  if (!clean || text.length > LONGEST || !SHAPE.test(clean)) return { refusal: "invalid" };
  const marks = clean.match(/[.,]/g) ?? [];
  if (marks.length === 0) return minor(clean, money);
  if (marks.length === 1) return withOneMark(clean, marks[0], money);
  return withSeveralMarks(clean, marks, money);
}

function withOneMark(clean, mark, money) {
  const [whole, tail] = clean.split(mark);
  const asThousands = thousands(clean, mark);
  const asDecimals = decimal(whole, tail, money);
  if (asThousands === null) return asDecimals === null ? { refusal: "invalid" } : minor(asDecimals, money);
  if (asDecimals === null || money.used === 0) return minor(asThousands, money);
  const readings = [minor(asThousands, money), minor(asDecimals, money)];
  return readings.find((one) => one.refusal) ?? { question: readings.map((one) => one.minor) };
}

function withSeveralMarks(clean, marks, money) {
  const last = marks.at(-1);
  let plain = null;
  if (new Set(marks).size === 1) {
    plain = thousands(clean, last);
  } else if (marks.filter((mark) => mark === last).length === 1 && new Set(marks.slice(0, -1)).size === 1) {
    const at = clean.lastIndexOf(last);
    const whole = thousands(clean.slice(0, at), marks[0]);
    plain = whole === null ? null : decimal(whole, clean.slice(at + 1), money);
  }
  return plain === null ? { refusal: "invalid" } : minor(plain, money);
}

// The digits, if the marks stand where thousands are parted.
function thousands(text, mark) {
  const [first, ...groups] = text.split(mark);
  const right = first.length >= 1 && first.length <= 3 && !first.startsWith("0");
  return right && groups.every((group) => group.length === 3) ? first + groups.join("") : null;
}

// The amount as a decimal string, if the currency can hold it; zeros beyond its decimals say nothing.
function decimal(whole, tail, money) {
  const kept = tail.length > money.exponent ? tail.replace(/0+$/, "") : tail;
  if (!tail || tail.length > 4 || kept.length > money.exponent) return null;
  return kept ? `${whole || "0"}.${kept}` : whole || "0";
}

function bare(clean, currency) {
  for (const sign of [currency, ...SIGNS]) {
    if (clean.toUpperCase().startsWith(sign.toUpperCase())) return clean.slice(sign.length);
    if (clean.toUpperCase().endsWith(sign.toUpperCase())) return clean.slice(0, -sign.length);
  }
  return clean;
}

function minor(plain, money) {
  const [whole, tail = ""] = plain.split(".");
  if (whole.replace(/^0+/, "").length > 12) return { refusal: "large" };
  const found = Number(whole + tail.padEnd(money.exponent, "0"));
  if (found > money.largest) return { refusal: "large" };
  return found === 0 ? { refusal: "zero" } : { minor: found };
}
