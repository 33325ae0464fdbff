"""Which characters a card, a phone and the databases can carry."""

import unicodedata

# controls, halves of surrogate pairs, private use, unassigned; joiners within emoji and scripts are Cf and stay
UNSHOWABLE = frozenset({"Cc", "Cs", "Co", "Cn"})


def is_showable(text: str, *, lines: bool = False) -> bool:
    """Whether every character can be shown; `lines` lets it have line breaks."""
    breaks = "\r\n" if lines else ""
    return not any(unicodedata.category(symbol) in UNSHOWABLE and symbol not in breaks for symbol in text)
