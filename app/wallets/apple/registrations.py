"""Which phone holds which pass, and what each must still be told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.cards import holding
from app.cards import service as cards
from app.cards.models import Card
from app.clock import milliseconds
from app.db import rows_changed
from app.errors import TooManyRequests
from app.outbox import service as outbox
from app.outbox.models import Target
from app.wallets.apple import issues, limits
from app.wallets.apple.models import Device, DeviceLog, Registration

CHANNEL = "apple"
LIVE_MAX = 20
NEW_MAX_AN_HOUR = 30
LOG_ROWS_MAX = 10_000


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A phone that says it holds a pass."""

    library_identifier: str
    push_token: str
    pass_type: str
    card_id: int


def register(session: Session, arrival: Arrival, *, now: datetime) -> bool:
    """Note that a phone holds a pass; True if that is new. Again: only the phone's push token is replaced.

    The card's row is locked first: a change that commits between reading the version and writing the target would
    leave this phone behind for ever. It holds the version last downloaded, if that is known, and is owed the rest. Two
    at once collide on the unique keys; whoever loses repeats.

    Raises: TooManyRequests `too_many_registrations`; NotFound, if the card has gone.
    """
    card = cards.lock(session, arrival.card_id)
    device, token_changed = _device(session, arrival, now)
    registration = session.scalars(
        select(Registration).where(Registration.device_id == device.id, Registration.card_id == card.id)
    ).one_or_none()
    is_new = registration is None
    if is_new:
        is_first = not _is_held(session, card.id)
        _make_room(session, card.id, arrival.push_token, now)
        session.add(
            Registration(
                device_id=device.id,
                card_id=card.id,
                pass_type_identifier=arrival.pass_type,
                signed_with=issues.signed_with(session, card.id),
                created_at=now,
            )
        )
        session.flush()
        if is_first:
            holding.installed(session, card.id, wallet=CHANNEL, now=now)
    _aim(session, card, device, arrival, is_new=is_new, now=now)
    if token_changed:
        _tell_again(session, device.id, now)
    return is_new


def unregister(session: Session, *, library_identifier: str, card_id: int, now: datetime) -> bool:
    """Note that a pass has left a phone; False if it was not registered there."""
    wanted = select(Device).where(Device.library_identifier == library_identifier)
    device = session.scalars(wanted.with_for_update()).one_or_none()
    if device is None:
        return False
    is_gone = _let_go(session, device.id, [card_id]) > 0
    if is_gone:
        _say_left(session, [card_id], now)
    return is_gone


def forget_token(session: Session, push_token: str, *, dead_since: datetime, now: datetime) -> int:
    """Let go of every phone that last named this token at or before *dead_since*; how many phones."""
    dead = select(Device.id).where(Device.push_token == push_token, Device.token_updated_at <= dead_since)
    ids = list(session.scalars(dead.order_by(Device.id).with_for_update()))
    held = select(Registration.card_id).where(Registration.device_id.in_(ids)).distinct()
    card_ids = list(session.scalars(held))
    for device_id in ids:
        _let_go(session, device_id, None)
    _say_left(session, card_ids, now)
    return len(ids)


def is_registered(session: Session, *, device_id: int, card_id: int) -> bool:
    wanted = select(Registration.id).where(Registration.device_id == device_id, Registration.card_id == card_id)
    return session.scalar(wanted) is not None


def keep_log(
    session: Session, lines: Iterable[tuple[str, str]], *, now: datetime, rows_max: int = LOG_ROWS_MAX
) -> None:
    """Keep what phones complain of, as (cause, line), and no more than the newest *rows_max* lines."""
    session.add_all(DeviceLog(cause=cause, line=line, at=now) for cause, line in lines)
    session.flush()
    newest = session.scalar(select(func.max(DeviceLog.id))) or 0
    session.execute(delete(DeviceLog).where(DeviceLog.id <= newest - rows_max))


def _is_held(session: Session, card_id: int) -> bool:
    return session.scalar(select(Registration.id).where(Registration.card_id == card_id).limit(1)) is not None


def _say_left(session: Session, card_ids: Iterable[int], now: datetime) -> None:
    """Of cards that left a phone: tell of those that are on none any more."""
    for card_id in card_ids:
        if not _is_held(session, card_id):
            holding.uninstalled(session, card_id, wallet=CHANNEL, now=now)


def _device(session: Session, arrival: Arrival, now: datetime) -> tuple[Device, bool]:
    wanted = select(Device).where(Device.library_identifier == arrival.library_identifier)
    device = session.scalars(wanted.with_for_update().execution_options(populate_existing=True)).one_or_none()
    if device is None:
        device = Device(
            library_identifier=arrival.library_identifier,
            push_token=arrival.push_token,
            token_updated_at=now,
            created_at=now,
        )
        session.add(device)
        session.flush()
        return device, False
    changed = device.push_token != arrival.push_token
    device.push_token = arrival.push_token
    device.token_updated_at = now
    session.flush()
    return device, changed


def _make_room(session: Session, card_id: int, push_token: str, now: datetime) -> None:
    """Phones have registered hundreds of times under ever new ids: one token counts once, and the oldest goes."""
    rows = session.execute(
        select(Registration.device_id, Device.push_token)
        .join(Device, Device.id == Registration.device_id)
        .where(Registration.card_id == card_id)
        .order_by(Registration.created_at, Registration.id)
    ).all()
    if not limits.count(session, f"newcomer of card {card_id}", most=NEW_MAX_AN_HOUR, span=timedelta(hours=1), now=now):
        raise too_many()
    same = [row.device_id for row in rows if row.push_token == push_token]
    others = [row.device_id for row in rows if row.push_token != push_token]
    for device_id in same + others[: max(0, len(others) - LIVE_MAX + 1)]:
        _let_go(session, device_id, [card_id])


def too_many() -> TooManyRequests:
    """What is said of a storm of registrations."""
    return TooManyRequests(
        "too_many_registrations", "This card was registered too often. Try later.", retry_after_s=3600
    )


def _aim(session: Session, card: Card, device: Device, arrival: Arrival, *, is_new: bool, now: datetime) -> None:
    issued = issues.oldest(session, card.id, now) if is_new else None
    holds = None if issued is None else min(issued, card.version)
    target = outbox.ensure_target(
        session,
        channel=CHANNEL,
        sender_id=outbox.sender_for(session, CHANNEL, arrival.pass_type).id,
        card_id=card.id,
        address_id=device.id,
        want=card.version,
        done=card.version - 1 if holds is None else holds,
        now_ms=milliseconds(now),
    )
    if is_new:
        # the row may have belonged to an earlier registration of this phone
        target.fetched = holds or 0
        session.flush()


def _tell_again(session: Session, device_id: int, now: datetime) -> None:
    """A push to the old token may have been accepted and never delivered: what was not fetched is told once more."""
    session.execute(
        update(Target)
        .where(
            Target.channel == CHANNEL,
            Target.address_id == device_id,
            Target.state == "live",
            Target.fetched < Target.want,
            Target.done == Target.want,
        )
        .values(done=Target.want - 1, not_before=milliseconds(now), dirty_since=milliseconds(now))
        .execution_options(synchronize_session=False)
    )


def _let_go(session: Session, device_id: int, card_ids: Sequence[int] | None) -> int:
    """Remove registrations (all, without *card_ids*), retire what they were to be told, and a phone left with none."""
    gone = delete(Registration).where(Registration.device_id == device_id)
    if card_ids is not None:
        gone = gone.where(Registration.card_id.in_(card_ids))
    removed = rows_changed(session, gone.execution_options(synchronize_session=False))
    for card_id in card_ids if card_ids is not None else (None,):
        outbox.retire(session, channel=CHANNEL, address_id=device_id, card_id=card_id)
    left = select(Registration.id).where(Registration.device_id == device_id).limit(1)
    if session.scalar(left) is None:
        session.execute(delete(Device).where(Device.id == device_id))
    return removed
