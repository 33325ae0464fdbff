"""Sharing whole units out so that the parts sum to the whole."""

from collections.abc import Sequence
from fractions import Fraction


def shared(whole: int, exact: Sequence[Fraction]) -> list[int]:
    """*whole* units, shared as the *exact* parts ask: each is rounded down, the rest goes to the largest remainders.

    Where the parts sum to something else, because a cap lowered the whole, they are scaled first. The first wins a tie.
    """
    if not exact:
        return []
    total = sum(exact)
    if total <= 0:
        return [whole, *[0] * (len(exact) - 1)]
    wanted = list(exact)
    if not 0 <= whole - sum(map(int, wanted)) <= len(wanted):
        wanted = [part * whole / total for part in exact]
    parts = [int(part) for part in wanted]
    order = sorted(range(len(parts)), key=lambda at: (parts[at] - wanted[at], at))
    for at in order[: whole - sum(parts)]:
        parts[at] += 1
    return parts


def half_up(amount: Fraction) -> int:
    """A sum of money, rounded to the minor unit."""
    return int(amount + Fraction(1, 2))
