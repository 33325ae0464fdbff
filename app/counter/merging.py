"""Two cards of one person become one, and can be parted again for thirty days.

The one that stays takes over what the other one has (`takeover`), which is void on both wallets.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cards.models import Card
from app.counter import left_behind, moves, pricing, takeover
from app.counter.moves import Actor
from app.errors import Conflict, NotFound, Sentence, Unprocessable
from app.fraud.models import CardMerge
from app.ledger import held as holding
from app.ledger import merges
from app.ledger.held import Held
from app.ledger.merges import Leg
from app.ledger.reversals import OnDeficit
from app.staff import audit
from app.tiers import service as tiers
from app.value import stock

UNDONE_WITHIN = timedelta(days=30)
LONGEST_REASON = 200


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What would move: units that can be spent and units that are owed, by unit; what waits follows on its day."""

    moves: Mapping[str, int]
    owed: Mapping[str, int]
    waits: Mapping[str, int]


def preview(session: Session, source: Card, target: Card, *, now: datetime) -> Preview:
    """What joining these two would move. Nothing is written.

    Raises: as `merge`.
    """
    if source.id == target.id:
        raise _same_card()
    here, there = (holding.by_number(session, one.number, locked=False) for one in (source, target))
    _check(here, there)
    left_behind.check_nothing(session, here, there, now=now)
    return Preview(
        moves=_standing(here, "avail"),
        owed={unit: -count for unit, count in _standing(here, "debt").items()},
        waits=_standing(here, "pend"),
    )


def balances(session: Session, card: Card) -> Mapping[str, int]:
    """What can be spent of a card, by unit."""
    return _standing(holding.by_number(session, card.number, locked=False), "avail")


def merge(session: Session, source: Card, target: Card, *, reason: str, by: Actor, now: datetime) -> CardMerge:
    """Move everything from *source* to *target*, and void the source. Both are locked, the older one first.

    Raises: Unprocessable `reason_missing`, `same_card`, `wrong_programme` or `not_mergeable`; Conflict
    `card_not_active`, `open_holds` or `left_behind`.
    """
    reason = _reason(reason)
    if source.id == target.id:
        raise _same_card()
    cards = takeover.both(session, source.id, target.id)
    here, there = cards[source.id], cards[target.id]
    _check(here, there)
    left_behind.check_nothing(session, here, there, now=now)
    row = session.get_one(Card, here.id, populate_existing=True)
    stock.retire(session, row, there.id)
    made = takeover.begin(session, here, there, reason=reason, by=by, now=now)
    _record(session, made, "cards_merged", by, now)
    return made


def unmerge(session: Session, made: CardMerge, *, by: Actor, now: datetime) -> CardMerge:
    """Part two cards again: what moved and is still there goes back, and the source is good again.

    What was spent meanwhile the target owes, unless the rules in force write it off or refuse; money is never owed.

    Raises: Conflict `already_undone`, `too_late` after 30 days, `not_parted` or `card_not_active`; Unprocessable
    `insufficient`.
    """
    cards = takeover.both(session, made.source_id, made.target_id)
    session.refresh(made)
    here, there = cards[made.source_id], cards[made.target_id]
    _check_undo(made, here, there, now)
    row = session.get_one(Card, here.id, populate_existing=True)
    row.status = "active"
    stock.kept(session, here.id, here.programme_id).replaced_by_id = None
    session.flush()
    here = replace(here, status="active", spent_minor=here.spent_minor + made.spent_minor)
    there = replace(there, spent_minor=max(0, there.spent_minor - made.spent_minor))
    parted = merges.part(
        session, here, there, _legs(made),
        by_source=moves.circumstance(here, by, now, note=f"parted:{there.serial}"),
        by_target=moves.circumstance(there, by, now, note=f"parted:{here.serial}"),
        on_deficit=OnDeficit(pricing.version_for(session, there, now).rules.on_deficit),
    )  # fmt: skip
    there = takeover.count(session, parted.target, takeover.months_of(made.months, -1), now)
    here = tiers.after_sale(session, parted.source, spend_minor=0, earned=0, visits=0, at=now, now=now)
    takeover.write(session, here, parted.left, now)
    takeover.write(session, there, parted.arrived, now)
    made.undone_by, made.undone_at = by.name, now
    session.flush()
    _record(session, made, "cards_parted", by, now)
    return made


def named(session: Session, public_id: str) -> CardMerge:
    """A joining of two cards by its id.

    Raises: NotFound `unknown_merge`.
    """
    found = session.scalars(select(CardMerge).where(CardMerge.public_id == public_id)).one_or_none()
    if found is None:
        raise NotFound("unknown_merge", "There is no such joining of cards. Open the card again.")
    return found


def of_card(session: Session, card_id: int) -> list[CardMerge]:
    """Everything that a card was joined with, the newest first."""
    query = select(CardMerge).where((CardMerge.source_id == card_id) | (CardMerge.target_id == card_id))
    return list(session.scalars(query.order_by(CardMerge.id.desc())))


def can_undo(session: Session, made: CardMerge, now: datetime) -> bool:
    """Whether two members' cards were joined, and there is still time to part them."""
    is_early = made.undone_at is None and now - made.made_at <= UNDONE_WITHIN
    return is_early and session.get_one(Card, made.source_id).kind == "loyalty"


def _same_card() -> Unprocessable:
    text = "These are the same card. Choose two different ones."
    return Unprocessable("same_card", text, errors={"into": text})


def _standing(card: Held, role: str) -> dict[str, int]:
    return {unit: one.balance for (unit, of), one in sorted(card.accounts.items()) if of == role and one.balance}


def _check(source: Held, target: Held) -> None:
    if source.programme_id != target.programme_id:
        text = "These cards belong to different programmes."
        raise Unprocessable("wrong_programme", text, errors={"into": text})
    if source.kind != "loyalty" or target.kind != "loyalty":
        text = "Only members' own cards are joined. Give a card without a person to its owner, or replace it."
        raise Unprocessable("not_mergeable", text, errors={"into": text})
    for card in (source, target):
        if card.status != "active":
            raise Conflict("card_not_active", "One of these cards is no longer valid.")
    if any(role == "hold" and one.balance for (_unit, role), one in source.accounts.items()):
        text = "Something on the card that is given up is reserved. Finish the redemption, or release it first."
        raise Conflict("open_holds", text)


def _check_undo(made: CardMerge, source: Held, target: Held, now: datetime) -> None:
    if source.kind != "loyalty":
        raise Conflict("not_parted", "A card that was replaced or given to its owner stays so.")
    if made.undone_at is not None:
        raise Conflict("already_undone", "These cards were parted already.")
    if now - made.made_at > UNDONE_WITHIN:
        days = UNDONE_WITHIN.days
        raise Conflict("too_late", Sentence("Cards can be parted for %(days)s days after they were joined.", days=days))
    if target.status != "active" or source.status != "voided":
        text = "One of these cards was erased, or joined with a third one; undo that first."
        raise Conflict("card_not_active", text)


def _reason(typed: str) -> str:
    reason = " ".join(typed.split())
    if not 3 <= len(reason) <= LONGEST_REASON or not reason.isprintable():
        text = Sentence("Say why, in %(least)s to %(most)s characters.", least=3, most=LONGEST_REASON)
        raise Unprocessable("reason_missing", text, errors={"reason": text})
    return reason


def _legs(made: CardMerge) -> list[Leg]:
    return [Leg(left_id=left, arrived_id=arrived) for left, arrived in made.legs]


def _record(session: Session, made: CardMerge, action: str, by: Actor, now: datetime) -> None:
    source, target = (session.scalar(select(Card.serial).where(Card.id == one))
                      for one in (made.source_id, made.target_id))  # fmt: skip
    audit.record(
        session, actor=by.name, action=action, subject=f"card:{source}",
        after={"merge": made.public_id, "into": f"card:{target}"}, reason=made.reason, now=now,
    )  # fmt: skip
