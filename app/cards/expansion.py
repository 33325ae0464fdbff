"""Touching many cards: resumable, in small chunks, in turns, and never far ahead of what the phones can follow.

What may be slow is read outside of the writing transaction (`next_turn`); the writing one (`take`) only touches a chunk
and moves the cursor, so that no till waits behind a campaign.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, column, func, literal_column, select, table, update
from sqlalchemy.orm import Session

from app import failpoints
from app.cards import ranges
from app.cards.models import Card, Expansion, Programme
from app.cards.ranges import Audience, CardRange
from app.clock import milliseconds
from app.db import rows_changed
from app.errors import Conflict, NotFound
from app.outbox.models import Sender, Target
from app.outbox.service import Lane
from app.webhooks import kinds
from app.webhooks import service as webhooks

CHUNK_SQLITE = 200
CHUNK_POSTGRES = 500  # a till waits 81 ms at worst beside it, and 103 to 111 beside 1,000
PAUSE_ROWS = 20_000
LAST_ID = 2**62
# a room above this one, known by its columns alone
OFFER = table("offer", column("id"), column("public_id"), column("ends_at"))
OFFERS = ("offer_started", "offer_warned", "offer_ended")
GOOGLE = ("google",)


@dataclass(frozen=True, kw_only=True)
class Turn:
    """Which bulk change works next. `audience`: its cards, counted for the first time; None if that is known."""

    expansion_id: int
    audience: int | None


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """How many addresses of a programme's senders have still to be told in the bulk lane."""

    apple: int = 0
    google: int = 0

    @property
    def most(self) -> int:
        return max(self.apple, self.google)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A bulk change at one moment.

    `state`: waiting (not begun), running, paused (the phones of `behind` still have to catch up), stopped, done.
    `audience` is None until it is counted. `left`: cards not looked at yet. `per_s`: cards a second since it began (0:
    unknown). `tells_google`: each card's object at Google changes with it.
    """

    id: int
    programme_id: int
    whom: Audience
    reason: str
    offer_id: int | None
    state: str
    audience: int | None
    touched: int
    left: int
    behind: Backlog
    per_s: float
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    stopped_by: str
    may_stop: bool
    tells_google: bool


def start(
    session: Session,
    *,
    programme_id: int,
    reason: str,
    now: datetime,
    tier_id: int | None = None,
    tiers: Collection[int] = (),
    segment_id: int | None = None,
    granted: bool = False,
    offer_id: int | None = None,
    all_up_to: int | None = None,
    changed_since: datetime | None = None,
) -> Expansion:
    """Begin a bulk change of a programme's cards; `next_turn` and `take` do the work.

    They are those of a tier or of some *tiers*, those in a kept segment, those that the offer was *granted* to. Cards
    made later are right from the beginning and left out. With `all_up_to`, cards of a greater id are touched only if
    they changed or were handed to a phone since `changed_since`. *reason*: offer_started, offer_warned, offer_ended,
    design, restore.
    """
    expansion = Expansion(
        programme_id=programme_id,
        tier_id=tier_id,
        tiers=sorted(set(tiers)),
        segment_id=segment_id,
        granted=granted,
        reason=reason,
        offer_id=offer_id,
        created_at=now,
        status="running",
        last_card_id=session.scalar(select(func.max(Card.id)).where(Card.programme_id == programme_id)) or 0,
        all_up_to=all_up_to,
        changed_since=changed_since,
    )
    session.add(expansion)
    session.flush()
    # whoever keeps what the programme's cards share knows by this number that it is out of date
    raised = update(Programme).where(Programme.id == programme_id).values(revision=Programme.revision + 1)
    session.execute(raised, execution_options={"synchronize_session": False})
    return expansion


def next_turn(session: Session, *, pause_rows: int = PAUSE_ROWS) -> Turn | None:
    """Which of the running changes works next: the one that worked longest ago among those not held back.

    A change is held back while phones of its own programme have too much to catch up with. None: nothing to do now.
    """
    running = select(Expansion).where(Expansion.status == "running").order_by(Expansion.stepped_at, Expansion.id)
    for expansion in session.scalars(running):
        if backlog(session, expansion.programme_id, limit=pause_rows).most < pause_rows:
            counted = None if expansion.audience is not None else _count(session, expansion)
            return Turn(expansion_id=expansion.id, audience=counted)
    return None


def take(session: Session, turn: Turn, *, now: datetime) -> bool:
    """Touch the next chunk; False if the change was stopped meanwhile or somebody else is at it.

    Chunk and cursor commit together: a crash repeats nothing and skips nothing.
    """
    mine = select(Expansion).where(Expansion.id == turn.expansion_id, Expansion.status == "running")
    expansion = session.scalars(
        mine.with_for_update(skip_locked=True).execution_options(populate_existing=True)
    ).one_or_none()
    if expansion is None:
        return False
    if expansion.audience is None:
        expansion.audience = turn.audience
    expansion.started_at = expansion.started_at or now
    expansion.stepped_at = milliseconds(now)
    ids = _chunk(session, expansion)
    if ids:
        cards = _range(expansion, after_id=expansion.cursor_card_id, up_to_id=ids[-1])
        unaltered = _unaltered(session, expansion)
        # An offer is awaited to the second, and each chunk touches a card once: there is nothing to gather. A design is
        # saved several times in a row, so its chunks keep the lane's window.
        window_ms = 0 if expansion.reason in OFFERS else None
        expansion.touched += ranges.touch(session, cards, now=now, unaltered=unaltered, window_ms=window_ms)
        expansion.passed += len(ids)
        expansion.cursor_card_id = ids[-1]
    else:
        expansion.status = "done"
        expansion.finished_at = now
        _tell(session, expansion, now)
    session.flush()
    failpoints.reached("expand.before_commit")
    return True


def _tell(session: Session, expansion: Expansion, now: datetime) -> None:
    """Say that a bulk change is over, and how much of it was done; nobody is told of its cards one by one."""
    if webhooks.listens(session, kinds.CAMPAIGN_FINISHED, expansion.programme_id):
        offer = session.execute(select(OFFER.c.public_id).where(OFFER.c.id == expansion.offer_id)).scalar_one_or_none()
        data = {
            "reason": expansion.reason,
            "state": expansion.status,
            "offer": offer,
            "cards": expansion.touched,
            "left": _left(expansion),
        }
        webhooks.announce(
            session, programme_id=expansion.programme_id, kind=kinds.CAMPAIGN_FINISHED, data=data, now=now
        )


def stop(session: Session, expansion_id: int, *, by: str, now: datetime) -> None:
    """Touch no further card. What was touched is still brought to its phones, because it is those cards' true state.

    Raises: Conflict `change_over`, if it has ended; Conflict `change_cleans_up`, if it takes an ended offer off the
        cards: stopped half-way it would leave them showing what is no longer true.
    """
    expansion = by_id(session, expansion_id)
    if expansion.reason == "offer_ended":
        raise Conflict(
            "change_cleans_up",
            "This takes an ended offer off the cards; stopped half-way, cards would go on showing it.",
        )
    if not halt(session, expansion, by=by, now=now):
        raise Conflict("change_over", "This change has ended already; there is nothing to stop.")


def halt(session: Session, expansion: Expansion, *, by: str, now: datetime) -> bool:
    """Stop a change if it still runs, and know its last cursor; whether it ran. Waits for a chunk in hand."""
    running = update(Expansion).where(Expansion.id == expansion.id, Expansion.status == "running")
    stopped = rows_changed(session, running.values(status="stopped", finished_at=now, stopped_by=by)) == 1
    session.refresh(expansion)
    if stopped:
        _tell(session, expansion, now)
    return stopped


def _left(expansion: Expansion) -> int | None:
    """Cards that a change has not come to; None if they were never counted."""
    if expansion.status == "done":
        return 0
    return None if expansion.audience is None else max(0, expansion.audience - expansion.passed)


def by_id(session: Session, expansion_id: int) -> Expansion:
    """A bulk change.

    Raises: NotFound `unknown_change`.
    """
    found = session.get(Expansion, expansion_id)
    if found is None:
        raise NotFound("unknown_change", "There is no such bulk change.")
    return found


def of_offer(session: Session, offer_id: int) -> list[Expansion]:
    """The bulk changes that an offer began, the newest first."""
    query = select(Expansion).where(Expansion.offer_id == offer_id)
    return list(session.scalars(query.order_by(Expansion.id.desc())))


def latest(session: Session, programme_ids: list[int], *, limit: int = 20) -> list[Expansion]:
    """The bulk changes of these programmes: those that run, and the newest of those that are over."""
    mine = select(Expansion).where(Expansion.programme_id.in_(programme_ids)).order_by(Expansion.id.desc())
    running = list(session.scalars(mine.where(Expansion.status == "running")))
    return running + list(session.scalars(mine.where(Expansion.status != "running").limit(limit)))


def progress(session: Session, expansion: Expansion, *, now: datetime, pause_rows: int = PAUSE_ROWS) -> Progress:
    """How far a bulk change has come, in figures and one word."""
    is_running = expansion.status == "running"
    behind = backlog(session, expansion.programme_id, limit=2 * pause_rows) if is_running else Backlog()
    state = expansion.status
    if is_running:
        state = "waiting" if expansion.started_at is None else "paused" if behind.most >= pause_rows else "running"
    worked_s = ((expansion.finished_at or now) - expansion.started_at).total_seconds() if expansion.started_at else 0
    return Progress(
        id=expansion.id,
        programme_id=expansion.programme_id,
        whom=whom(expansion),
        reason=expansion.reason,
        offer_id=expansion.offer_id,
        state=state,
        audience=expansion.audience,
        touched=expansion.touched,
        left=(_left(expansion) or 0) if is_running else 0,
        behind=behind,
        per_s=expansion.passed / worked_s if worked_s > 0 else 0.0,
        created_at=expansion.created_at,
        started_at=expansion.started_at,
        finished_at=expansion.finished_at,
        stopped_by=expansion.stopped_by,
        may_stop=is_running and expansion.reason != "offer_ended",
        tells_google=not _unaltered(session, expansion),
    )


def backlog(session: Session, programme_id: int, *, limit: int) -> Backlog:
    """What a programme's senders have still to tell in the bulk lane, each counted up to *limit*.

    A Google issuer serves all programmes, so there only this programme's own cards count: one campaign must not hold
    another's.
    """
    pass_type = select(Programme.pass_type_identifier).where(Programme.id == programme_id).scalar_subquery()
    apple = _waiting("apple").where(Sender.name == pass_type)
    google = _waiting("google").join(Card, Card.id == Target.card_id).where(Card.programme_id == programme_id)
    counts = [
        session.scalar(select(func.count()).select_from(waiting.limit(limit).subquery())) or 0
        for waiting in (apple, google)
    ]
    return Backlog(apple=counts[0], google=counts[1])


def _waiting(channel: str) -> Select[int]:
    """Bulk rows that are owed; the words of the partial index, as literals, so that every plan finds it."""
    return (
        select(Target.id)
        .join(Sender, Sender.id == Target.sender_id)
        .where(
            Sender.vendor == channel, Target.channel == channel, Target.lane == int(Lane.BULK),
            Target.want > Target.done, Target.state == literal_column("'live'"),
        )
    )  # fmt: skip


def whom(expansion: Expansion) -> Audience:
    """Which cards a bulk change is for."""
    one = () if expansion.tier_id is None else (expansion.tier_id,)
    return Audience(
        programme_id=expansion.programme_id,
        tiers=tuple(sorted({*one, *expansion.tiers})),
        segment_id=expansion.segment_id,
        granted_offer_id=expansion.offer_id if expansion.granted else None,
    )


def _unaltered(session: Session, expansion: Expansion) -> Collection[str]:
    """The channels whose copy of a card a change leaves as it is.

    An offer for everybody or for tiers stands on Google's class. One that is for some stands on their objects, from
    where Google takes it at its end by itself; only if it ends before that, each object has to be told.
    """
    if expansion.reason not in OFFERS:
        return ()
    if expansion.segment_id is None and not expansion.granted:
        return GOOGLE
    if expansion.reason == "offer_started":
        return ()
    end_ms = session.scalar(select(OFFER.c.ends_at).where(OFFER.c.id == expansion.offer_id))
    is_early = expansion.reason == "offer_ended" and end_ms is not None and end_ms > milliseconds(expansion.created_at)
    return () if is_early else GOOGLE


def _range(expansion: Expansion, *, after_id: int, up_to_id: int) -> CardRange:
    return CardRange(
        audience=whom(expansion),
        after_id=after_id,
        up_to_id=up_to_id,
        all_up_to=expansion.all_up_to,
        changed_since=expansion.changed_since,
    )


def _count(session: Session, expansion: Expansion) -> int:
    return session.scalar(select(func.count()).select_from(Card).where(*ranges.audience(whom(expansion)))) or 0


def _chunk(session: Session, expansion: Expansion) -> list[int]:
    size = CHUNK_POSTGRES if session.get_bind().dialect.name == "postgresql" else CHUNK_SQLITE
    last = LAST_ID if expansion.last_card_id is None else expansion.last_card_id
    rest = _range(expansion, after_id=expansion.cursor_card_id, up_to_id=last)
    return list(session.scalars(ranges.first(rest, limit=size)))
