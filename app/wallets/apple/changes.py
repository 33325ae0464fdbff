"""What a phone must fetch: the answer to its list call."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, bindparam, select

from app.cards.models import Card
from app.clock import milliseconds
from app.db import Database
from app.lookup import Lookup
from app.outbox.models import Target
from app.wallets.apple.models import Device, Registration
from passes.apple import tag as tags

RELIST_AFTER = timedelta(minutes=10)
_HELD = Lookup(
    select(Card.id, Card.serial, Card.version, Target.done, Target.fetched, Target.told_at)
    .select_from(Device)
    .join(Registration, Registration.device_id == Device.id)
    .join(Card, Card.id == Registration.card_id)
    .outerjoin(Target, and_(Target.channel == "apple", Target.card_id == Card.id, Target.address_id == Device.id))
    .where(
        Device.library_identifier == bindparam("device"),
        Registration.pass_type_identifier == bindparam("pass_type"),
    )
)


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Serials to fetch, and the phone's new tag; `is_known` is False for a phone that holds no such pass."""

    serials: tuple[str, ...] = ()
    tag: str = ""
    is_known: bool = True


def changes(database: Database, *, device: str, pass_type: str, tag: str | None, now: datetime) -> Changes:
    """What differs from the tag, and again what the phone was told of ten minutes ago and has not fetched."""
    rows = sorted(_HELD.all(database, device=device, pass_type=pass_type))
    if not rows:
        return Changes(is_known=False)
    current = {card_id: version for card_id, _serial, version, *_ in rows}
    due = tags.changed(current, tags.decode_tag(tag))
    told_before_ms = milliseconds(now - RELIST_AFTER)
    serials = tuple(
        serial
        for card_id, serial, version, done, fetched, told_at in rows
        if card_id in due or (done is not None and fetched < version <= done and told_at <= told_before_ms)
    )
    return Changes(serials=serials, tag=tags.encode_tag(current) if serials else "")
