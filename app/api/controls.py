"""Limits and notices, corrections by hand with a second person, and two cards that become one."""

from typing import Any

from sqlalchemy import select

from app.api import controls_shapes, listing, shapes
from app.api.calls import Body, Call, Operation, unknown
from app.api.cards import actor, held_card, seen
from app.cards.models import Card, Programme, Store
from app.counter import adjusting, merging
from app.counter.adjusting import Person, Wish
from app.fraud import rules, service, words
from app.fraud.models import Adjustment, CardMerge, Notice
from app.ledger.models import Entry


def read_limits(call: Call) -> Body:
    """What is refused and what is told, of a programme."""
    return rules.plain(rules.read(call.programme(call.path["programme"]).limits))


def change_limits(call: Call) -> Body:
    """Set them; what is left out is as usual."""
    programme = call.programme(call.path["programme"])
    before = rules.plain(rules.read(programme.limits))
    kept = service.change_limits(call.session, programme, call.body)
    changed = {name: value for name, value in kept.items() if before[name] != value}
    call.record("limits_changed", f"programme:{programme.public_id}", **changed)
    return kept


def list_notices(call: Call) -> Body:
    """What was noticed, oldest first."""
    is_open = call.query["state"] == "open"
    query = _notices().where(Notice.dismissed_at.is_(None) if is_open else Notice.dismissed_at.is_not(None))
    language = call.query["language"]

    def shape(notice: Notice, *names: Any) -> Body:
        return _notice(notice, *names, language=language)

    return listing.answer(call, f"notices:{call.query['state']}", query, Notice, shape)


def dismiss_notice(call: Call) -> Body:
    """Take a notice off the list, with the reason."""
    row = call.session.execute(_notices().where(Notice.public_id == call.path["notice"])).one_or_none()
    if row is None or not call.caller.sees(row[0].programme_id):
        raise unknown("notice", call.path["notice"])
    service.dismiss(
        call.session, row[0].programme_id, row[0].public_id, because=call.body["reason"], by=call.caller.actor,
        now=call.now,
    )  # fmt: skip
    call.record("notice_dismissed", f"notice:{row[0].public_id}", kind=row[0].kind, reason=call.body["reason"].strip())
    return _notice(*row)


def adjust(call: Call) -> Body:
    """Correct a balance, or ask for it."""
    card, body = held_card(call), call.body
    wish = Wish(unit=body["unit"], units=body["units"], reason=body["reason"])
    asked = adjusting.ask(call.session, card, wish, Person(by=actor(call), role="integrator"), now=call.now)
    return _adjustment(call, asked.adjustment)


def list_adjustments(call: Call) -> Body:
    """Corrections in one state, oldest first."""
    query = (
        select(Adjustment, Card.number, Programme.public_id, Entry)
        .join(Card, Card.id == Adjustment.card_id)
        .join(Programme, Programme.id == Adjustment.programme_id)
        .outerjoin(Entry, Entry.id == Adjustment.entry_id)
        .where(Adjustment.state == call.query["state"])
    )
    return listing.answer(call, f"adjustments:{call.query['state']}", query, Adjustment, _adjustment_row)


def approve(call: Call) -> Body:
    """Book a correction that waits, with another key than its author's."""
    found = _asked(call)
    adjusting.approve(call.session, found, _decider(call), now=call.now)
    return _adjustment(call, found)


def refuse(call: Call) -> Body:
    """Turn a correction down that waits."""
    return _adjustment(call, adjusting.refuse(call.session, _asked(call), _decider(call), now=call.now))


def merge(call: Call) -> Body:
    """Move everything from one card to another, and void the first."""
    source = seen(call, call.path["number"])
    target = seen(call, call.body["into"], field="into")
    made = merging.merge(
        call.session, source, target, reason=call.body["reason"], by=actor(call), now=call.now
    )  # fmt: skip
    return _merge(call, made)


def undo_merge(call: Call) -> Body:
    """Part two cards again."""
    name = call.path["merge"]
    found = call.session.scalars(select(CardMerge).where(CardMerge.public_id == name)).one_or_none()
    if found is None or not call.caller.sees(found.programme_id):
        raise unknown("merge", name)
    return _merge(call, merging.unmerge(call.session, found, by=actor(call), now=call.now))


def _notices() -> Any:
    return (
        select(Notice, Programme.public_id, Card.number, Store.public_id)
        .join(Programme, Programme.id == Notice.programme_id)
        .outerjoin(Card, Card.id == Notice.card_id)
        .outerjoin(Store, Store.id == Notice.store_id)
    )


def _notice(notice: Notice, programme: str, card: str | None, store: str | None, *, language: str = "en") -> Body:
    return {
        "id": notice.public_id,
        "programme": programme,
        "kind": notice.kind,
        "title": words.title(notice.kind, language),
        "text": words.sentence(notice, language),
        "card": card,
        "store": store,
        "actor": notice.actor,
        "facts": notice.facts,
        "at": shapes.moment(notice.at),
        "dismissed_at": shapes.moment(notice.dismissed_at) if notice.dismissed_at else None,
        "dismissed_by": notice.dismissed_by or None,
        "dismissed_because": notice.dismissed_because or None,
    }


def _asked(call: Call) -> Adjustment:
    name = call.path["adjustment"]
    found = call.session.scalars(select(Adjustment).where(Adjustment.public_id == name)).one_or_none()
    if found is None or not call.caller.sees(found.programme_id):
        raise unknown("adjustment", name)
    return found


def _decider(call: Call) -> Person:
    return Person(by=actor(call), role="operator")


def _adjustment(call: Call, found: Adjustment) -> Body:
    card = call.session.get_one(Card, found.card_id)
    entry = call.session.get(Entry, found.entry_id) if found.entry_id else None
    return _adjustment_row(found, card.number, card.programme.public_id, entry)


def _adjustment_row(found: Adjustment, number: str, programme: str, entry: Entry | None) -> Body:
    return {
        "id": found.public_id,
        "programme": programme,
        "card": number,
        "unit": found.unit,
        "units": found.units,
        "reason": found.reason,
        "state": found.state,
        "asked_by": found.asked_by,
        "asked_at": shapes.moment(found.asked_at),
        "decided_by": found.decided_by or None,
        "decided_at": shapes.moment(found.decided_at) if found.decided_at else None,
        "transaction": shapes.transaction(entry, number=number, store_id=None) if entry else None,
    }


def _merge(call: Call, made: CardMerge) -> Body:
    source, target = (call.session.get_one(Card, one) for one in (made.source_id, made.target_id))
    arrived = call.session.scalars(select(Entry).where(Entry.id.in_([leg[1] for leg in made.legs])))
    units: dict[str, int] = {}
    for entry in arrived:
        units[entry.unit] = units.get(entry.unit, 0) + entry.points
    return {
        "id": made.public_id,
        "card": source.number,
        "into": target.number,
        "units": units,
        "reason": made.reason,
        "made_by": made.made_by,
        "made_at": shapes.moment(made.made_at),
        "undone_at": shapes.moment(made.undone_at) if made.undone_at else None,
    }


OPERATIONS = (
    Operation(
        method="GET",
        rule="/programmes/<programme>/limits",
        name="read_limits",
        summary="Read what is refused and what is told to managers",
        tag="controls",
        work=read_limits,
        answer=controls_shapes.ControlLimits,
    ),
    Operation(
        method="PUT",
        rule="/programmes/<programme>/limits",
        name="change_limits",
        summary="Set what is refused and what is told to managers",
        description="In force from the next purchase on. What is left out is as usual.",
        tag="controls",
        scope="admin",
        work=change_limits,
        body=controls_shapes.ControlLimitsChange,
        answer=controls_shapes.ControlLimits,
    ),
    Operation(
        method="GET",
        rule="/notices",
        name="list_notices",
        summary="List what looks wrong, for a person to look at",
        tag="controls",
        work=list_notices,
        query=controls_shapes.PageOfNotices,
        answer=controls_shapes.NoticePage,
    ),
    Operation(
        method="POST",
        rule="/notices/<notice>/dismiss",
        name="dismiss_notice",
        summary="Dismiss a false alarm, with the reason",
        tag="controls",
        scope="write",
        work=dismiss_notice,
        body=controls_shapes.Because,
        answer=controls_shapes.Notice,
    ),
    Operation(
        method="POST",
        rule="/cards/<number>/adjustments",
        name="adjust",
        summary="Correct a balance by hand",
        description="Within the programme's limit for integrators it is booked at once; above it, and for stored value "
        "always, it waits up to 7 days for somebody else. `transaction` is null while it waits.",
        tag="controls",
        scope="write",
        work=adjust,
        body=controls_shapes.NewAdjustment,
        answer=controls_shapes.Adjustment,
        status=201,
        moves_points=True,
        refusals=(403,),
    ),
    Operation(
        method="GET",
        rule="/adjustments",
        name="list_adjustments",
        summary="List corrections that wait, or that were decided",
        tag="controls",
        work=list_adjustments,
        query=controls_shapes.PageOfAdjustments,
        answer=controls_shapes.AdjustmentPage,
    ),
    Operation(
        method="POST",
        rule="/adjustments/<adjustment>/approve",
        name="approve_adjustment",
        summary="Book a correction that waits; with another key than its author's",
        tag="controls",
        scope="admin",
        work=approve,
        answer=controls_shapes.Adjustment,
        status=201,
        moves_points=True,
        refusals=(403,),
    ),
    Operation(
        method="POST",
        rule="/adjustments/<adjustment>/refuse",
        name="refuse_adjustment",
        summary="Turn down a correction that waits; with another key than its author's",
        tag="controls",
        scope="admin",
        work=refuse,
        answer=controls_shapes.Adjustment,
        refusals=(403,),
    ),
    Operation(
        method="POST",
        rule="/cards/<number>/merge",
        name="merge_cards",
        summary="Join two cards of one person: everything moves, and the first is void",
        description="Units move with their dates, what is owed too; what waits follows on its day. Can be undone for "
        "30 days.",
        tag="controls",
        scope="admin",
        work=merge,
        body=controls_shapes.NewMerge,
        answer=controls_shapes.Merge,
        status=201,
        moves_points=True,
    ),
    Operation(
        method="POST",
        rule="/merges/<merge>/undo",
        name="undo_merge",
        summary="Part two cards that were joined",
        description="What moved and is still there goes back; what was spent meanwhile is owed, by the rules in force.",
        tag="controls",
        scope="admin",
        work=undo_merge,
        answer=controls_shapes.Merge,
        status=201,
        moves_points=True,
    ),
)
