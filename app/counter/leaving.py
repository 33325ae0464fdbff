"""Forgetting a person: not before the shop has settled the money that it owes them."""

from datetime import datetime

from sqlalchemy.orm import Session

from app import money
from app.cards import service as cards
from app.cards.models import Card
from app.errors import Conflict, Sentence
from app.habits import service as habits
from app.ledger import service as ledger
from app.segments import keeping
from app.value import service


def erase(session: Session, card: Card, *, now: datetime) -> bool:
    """Forget the member of a locked card, as `cards.service.erase`, and close their accounts with what is on them.

    Raises: Conflict `stored_value_left`.
    """
    check_settled(session, card)
    ledger.close(session, card.member_id)
    habits.forget(session, card.id)
    keeping.forget(session, card.id)
    return cards.erase(session, card.member, now=now)


def check_settled(session: Session, card: Card) -> None:
    """See that no loaded money is left on a locked card.

    Raises: Conflict `stored_value_left` with the amount as `errors["balance"]`.
    """
    currency = card.programme.currency
    left = service.balance_of(session, card.member_id, currency)
    if left and card.member.status == "active":
        shown = money.decimal_text(left, currency)
        text = Sentence(
            "%(amount)s %(currency)s are left on the card. Pay them out or note that they are waived, then erase.",
            amount=shown,
            currency=currency,
        )
        raise Conflict("stored_value_left", text, errors={"balance": shown})
