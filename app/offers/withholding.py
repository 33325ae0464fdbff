"""Offers that some of those they are for must not have: who is held back of a campaign, to be compared with the others.

A targeted offer needs none of this: who was not given it does not have it.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from app.db import insert_for, rows_changed, table_of
from app.offers import occurrences
from app.offers.models import Offer, OfferGrant

ROWS = 500
_GRANT = table_of(OfferGrant)


def begin(session: Session, offer: Offer, *, now: datetime) -> bool:
    """Tell each card of an offer by itself from now on, instead of all at once; whether that is new.

    Of a live one all its cards are told anew, without a sound.
    """
    mine = update(Offer).where(Offer.id == offer.id, Offer.withholds_at.is_(None), Offer.audience != "targeted")
    if rows_changed(session, mine.values(withholds_at=now).execution_options(synchronize_session=False)) != 1:
        return False
    session.refresh(offer)
    if offer.state == "live":
        occurrences.due(session, offer.id, "resume", at=now, deadline=offer.ends_at)
    return True


def withhold(session: Session, offer: Offer, card_ids: Sequence[int], *, run_id: int) -> None:
    """Keep an offer from these cards until `lift`. The caller touches the cards, if the offer is live."""
    shared = {"offer_id": offer.id, "run_id": run_id, "starts_at": offer.ends_at, "ends_at": offer.ends_at}
    for at in range(0, len(card_ids), ROWS):
        rows = [{"card_id": one, "closed": True, "withheld": True, **shared} for one in card_ids[at : at + ROWS]]
        statement = insert_for(session, OfferGrant).values(rows)
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["card_id", "offer_id"], set_={"withheld": True, "closed": True}
            )
        )


def lift(session: Session, offer: Offer, card_ids: Sequence[int]) -> None:
    """Let these cards have an offer that was kept from them, because another campaign tells them of it."""
    for at in range(0, len(card_ids), ROWS):
        mine = delete(_GRANT).where(
            _GRANT.c.offer_id == offer.id, _GRANT.c.card_id.in_(card_ids[at : at + ROWS]), _GRANT.c.withheld.is_(True)
        )
        session.execute(mine)
