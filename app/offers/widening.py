"""Where an offer holds, changed while it lives: what it gives, to whom and when stays as it was approved."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cards.models import Store
from app.errors import Conflict, Unprocessable
from app.offers import timing
from app.offers.models import Offer

OVER = ("ended", "cancelled", "archived")


def to_stores(session: Session, offer: Offer, stores: Collection[int], *, now: datetime) -> list[int]:
    """Let an offer hold at these stores (row ids; none: at all) from the next purchase on; where it held before.

    Its approval stays, and a live one stays on the cards.

    Raises: Conflict `offer_over`; Unprocessable `unknown_store`.
    """
    session.refresh(offer, with_for_update={"of": Offer})
    if offer.state in OVER:
        raise Conflict("offer_over", "This offer is over; duplicate it to give it again.")
    wanted = sorted(set(stores))
    known = select(Store.id).where(Store.programme_id == offer.programme_id, Store.id.in_(wanted))
    if wanted and len(set(session.scalars(known))) < len(wanted):
        text = "There is no such store in this programme."
        raise Unprocessable("unknown_store", text, errors={"stores": text})
    before = list(offer.stores)
    if wanted != before:
        offer.stores = wanted
        offer.revision += 1
        session.flush()
        timing.follow_zones(session, now=now)  # where each store's clock counts, others may begin earlier or end later
    return before
