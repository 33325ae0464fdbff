"""After a restore the wallets are ahead of us: every card is told again, until all phones show today's truth."""

from datetime import datetime

from sqlalchemy import BigInteger, case, literal, select, type_coerce, update
from sqlalchemy.orm import Session

from app.cards.models import Card
from app.clock import milliseconds
from app.delivery.models import Node
from app.outbox.models import Target
from app.outbox.rules import Lane

# no phone can have seen this many changes of a card since the backup was taken
VERSIONS_AHEAD = 10_000
NOT_THE_FIRST_ATTEMPT = 1


def reassert(session: Session, *, now: datetime) -> int:
    """Give every card a version that no phone has seen and let every address want it; the number of addresses.

    A phone answers an older date or an equal version with "I have that already", so both move on. Google's copies are
    written whole: what we believe it holds is as old as the backup.
    """
    now_ms = milliseconds(now)
    session.execute(update(Card).values(version=Card.version + VERSIONS_AHEAD, modified_at=_moved_on(now)))
    version = select(Card.version).where(Card.id == Target.card_id).scalar_subquery()
    soon = {
        "state": "live", "lane": int(Lane.BULK), "lease": None, "not_before": now_ms, "dirty_since": now_ms,
        "attempts": NOT_THE_FIRST_ATTEMPT,
    }  # fmt: skip
    wanted = {
        "apple": {"want": version, "done": version - 1, "fetched": 0},
        "google": {"want": version, "done": 0},
        "google_class": {"want": Target.want + 1, "done": 0},
    }
    told = 0
    for channel, values in wanted.items():
        again = update(Target).where(Target.channel == channel, Target.state != "gone").values(values | soon)
        told += session.execute(again, execution_options={"synchronize_session": False}).rowcount  # type: ignore[attr-defined]  # UPDATE gives a CursorResult
    session.query(Node).delete()
    return told


def _moved_on(now: datetime) -> object:
    before = type_coerce(Card.modified_at, BigInteger)
    today = literal(int(now.timestamp()) * 1000, BigInteger)
    return type_coerce(case((before + 1000 > today, before + 1000), else_=today), Card.modified_at.type)
