"""What gives how many stamps, and what stamps come to: plain arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from app.earning.sale import NEVER_EARN, Basket, Line
from app.earning.sums import shared
from app.ledger.chain import Line as EntryLine
from app.stamps.models import StampCard

MOST_AT_ONCE = 500
SPECIFIC = {"product": 0, "category": 1, "any": 2}
FULL, EMPTY = "●", "○"


@dataclass(frozen=True, kw_only=True)
class Counted:
    """How many stamps a sale gives on one stamp card, and which lines of it gave them.

    The lines carry stamps and no money, which stands on the sale. An amount without lines is one line with the number
    0, of as many pieces as stamps, so that any part of them can come back.
    """

    stamp_card: StampCard
    count: int
    lines: tuple[EntryLine, ...]


def rounds(stamps: int, size: int) -> tuple[int, int]:
    """How many times a card is full, and what stands on the next one."""
    return divmod(stamps, size)


def drawn(stamps: int, size: int) -> str:
    """Stamps as both wallets show them: ●●●●●●●○○○."""
    full = min(max(stamps, 0), size)
    return FULL * full + EMPTY * (size - full)


def is_near(stamps: int, size: int) -> bool:
    """Whether so little is missing that it is worth saying: one stamp."""
    return size - stamps == 1


def counted(stamp_cards: Sequence[StampCard], basket: Basket) -> list[Counted]:
    """What a sale gives without anybody tapping: each line counts on one stamp card, the most particular that fits it.

    A product goes before a category, and that before everything; then the lower priority wins.
    """
    by_sale = sorted(
        (one for one in stamp_cards if one.gives != "visit"),
        key=lambda one: (SPECIFIC[one.item_kind], one.priority is None, one.priority or 0, one.id),
    )
    if not by_sale:
        return []
    if not basket.lines:
        found = [_of_amount(one, basket) for one in by_sale if one.gives == "amount" and one.item_kind == "any"][:1]
        return [one for one in found if one.count]
    taken: dict[int, list[Line]] = {}
    for line in basket.lines:
        if line.kind in NEVER_EARN:
            continue
        winner = next((one for one in by_sale if _fits(one, line)), None)
        if winner is not None:
            taken.setdefault(winner.id, []).append(line)
    found = [_of_lines(one, taken[one.id], basket) for one in by_sale if one.id in taken]
    return [one for one in found if one.count]


def _fits(stamp_card: StampCard, line: Line) -> bool:
    of_line = {"product": line.product, "category": line.category, "any": ""}[stamp_card.item_kind]
    return stamp_card.item == of_line


def _of_amount(stamp_card: StampCard, basket: Basket) -> Counted:
    paid = basket.amount_minor - basket.by_points_minor
    count = min(max(paid, 0) // (stamp_card.per_minor or 1), MOST_AT_ONCE)
    return Counted(stamp_card=stamp_card, count=count, lines=((0, "", "", count, 0, count),))


def _of_lines(stamp_card: StampCard, lines: Sequence[Line], basket: Basket) -> Counted:
    if stamp_card.gives == "piece":
        wanted = [Fraction(line.quantity) for line in lines]
    else:
        wanted = [_own_money(line, basket) / (stamp_card.per_minor or 1) for line in lines]
    count = min(int(sum(wanted)), MOST_AT_ONCE)
    told = tuple(
        (line.number, line.product, line.category, line.quantity, 0, stamps)
        for line, stamps in zip(lines, shared(count, wanted), strict=True)
    )
    return Counted(stamp_card=stamp_card, count=count, lines=told)


def _own_money(line: Line, basket: Basket) -> Fraction:
    """What of a line was not paid with points: they pay for all lines alike."""
    if not basket.by_points_minor or basket.amount_minor <= 0:
        return Fraction(max(line.paid_minor, 0))
    return (
        Fraction(max(line.paid_minor, 0)) * max(basket.amount_minor - basket.by_points_minor, 0) / basket.amount_minor
    )
