"""How units come to live longer than they were promised to: by a purchase, or because the owner says so."""

from datetime import datetime

from sqlalchemy.orm import Session

from app.earning import expiring
from app.earning.rules import Expiry, Policy
from app.ledger import expiry as lots
from app.ledger.held import POINTS, Held


def keep_alive(session: Session, held: Held, expiry: Expiry, at: datetime, zone: str) -> int:
    """Let all points of a member who buys at *at* live for another period; how many lots were lengthened.

    Nothing happens unless points expire by inactivity. What had expired at *at* stays so; nothing is ever shortened.
    """
    if expiry.policy is not Policy.INACTIVITY:
        return 0
    until = expiring.expires_at(expiry, at, zone)
    if until is None:
        return 0
    return lots.lengthen(session, lots.alive(session, held, POINTS, at=at, until=until), until)
