"""Card numbers: 50 random bits in symbols that nobody confuses, and one that catches slips of the finger."""

import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SYMBOLS = 10
PREFIX = "LY1:"
LOOK_ALIKES = str.maketrans({"O": "0", "I": "1", "L": "1"})
SEPARATORS = str.maketrans({" ": None, "-": None, "\u00a0": None})


def check_symbol(body: str) -> str:
    """The Luhn mod 32 symbol of ten symbols: `7K3M9QX2TD` → `S`."""
    total = 0
    for place, symbol in enumerate(reversed(body)):
        value = ALPHABET.index(symbol) * (2 if place % 2 == 0 else 1)
        total += value // 32 + value % 32
    return ALPHABET[-total % 32]


def new_number() -> str:
    """A new unguessable card number of eleven symbols, the last one the check."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(SYMBOLS))
    return body + check_symbol(body)


def normalise(text: str) -> str | None:
    """What was scanned or typed, as a card number; None when it cannot be one (no look-up is needed to say so).

    Forgives case, spaces, dashes, the barcode's prefix, and O for 0, I and L for 1. Capitals are made for ASCII letters
    only, so a Turkish dotless ı is no i.
    """
    if len(text) > 64:
        return None
    upper = "".join(c.upper() if c.isascii() else c for c in text.strip()).removeprefix(PREFIX)
    number = upper.translate(SEPARATORS).translate(LOOK_ALIKES)
    if len(number) != SYMBOLS + 1 or any(symbol not in ALPHABET for symbol in number):
        return None
    return number if check_symbol(number[:-1]) == number[-1] else None


def grouped(number: str) -> str:
    """For people's eyes: `7K3M 9QX2 TDS`."""
    return " ".join(number[i : i + 4] for i in range(0, len(number), 4))


def barcode_message(number: str) -> str:
    """What the barcode carries: it names the card and gives no right."""
    return PREFIX + number
