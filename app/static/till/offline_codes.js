// Card numbers, as the server reads them: a slip of the finger is caught before anything is kept.

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const SYMBOLS = 10;
const PREFIX = "LY1:";
const LOOK_ALIKES = { O: "0", I: "1", L: "1" };

function checkSymbol(body) {
  let total = 0;
  [...body].reverse().forEach((symbol, place) => {
    const value = ALPHABET.indexOf(symbol) * (place % 2 === 0 ? 2 : 1);
    total += Math.floor(value / 32) + (value % 32);
  });
  return ALPHABET[(32 - (total % 32)) % 32];
}

// What was scanned or typed, as a card number; null when it cannot be one. Capitals are made for ASCII letters only.
export function normalise(text) {
  if (text.length > 64) return null;
  let upper = text.trim().replace(/[a-z]/g, (letter) => letter.toUpperCase());
  if (upper.startsWith(PREFIX)) upper = upper.slice(PREFIX.length);
  const number = [...upper.replace(/[ \-\u00a0]/g, "")].map((symbol) => LOOK_ALIKES[symbol] ?? symbol).join("");
  if (number.length !== SYMBOLS + 1 || [...number].some((symbol) => !ALPHABET.includes(symbol))) return null;
  return checkSymbol(number.slice(0, SYMBOLS)) === number[SYMBOLS] ? number : null;
}

export const grouped = (number) => number.replace(/(.{4})(?=.)/g, "$1 ");
