"""Pilots: begun, read with what they changed, widened, stopped."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from app import money
from app.api import listing, shapes
from app.api import pilots_shapes as wanted
from app.api.calls import Body, Call, Operation, unknown
from app.api.incoming import PageOfProgramme
from app.cards.models import Programme, Store
from app.errors import AppError
from app.pilots import reporting, service
from app.pilots.models import Pilot
from app.pilots.reporting import Figures, Span
from app.pilots.service import Draft
from app.results.stats import Trial

DIGITS = 6


def create_pilot(call: Call) -> Body:
    """Begin to compare some stores with others."""
    body: dict[str, Any] = dict(call.body)
    programme = call.programme(body.pop("programme"))
    arms: dict[str, Any] = {
        arm: _stores(call, programme, body.pop(arm), body.pop(f"{arm}_regions"), field=arm)
        for arm in ("pilot", "control")
    }
    draft = Draft(programme=programme, **arms, **body)
    return _in_full(call, service.create(call.session, draft, by=call.caller.actor, now=call.now))


def read_pilot(call: Call) -> Body:
    """One pilot with what it changed so far."""
    return _in_full(call, _named(call))


def list_pilots(call: Call) -> Body:
    """The pilots that the key may see."""
    query = select(Pilot, Programme.public_id).join(Programme, Programme.id == Pilot.programme_id)
    return listing.answer(call, "pilots", query, Pilot, lambda row, owner: _shape(call, row, owner))


def widen_pilot(call: Call) -> Body:
    """Let what was tried hold in all stores, or in those that are named."""
    pilot = _named(call)
    chosen = _chosen(call, pilot)
    return _in_full(call, service.widen(call.session, pilot, chosen, by=call.caller.actor, now=call.now))


def stop_pilot(call: Call) -> Body:
    """End a pilot and what it tries."""
    return _in_full(call, service.stop(call.session, _named(call), by=call.caller.actor, now=call.now))


def _named(call: Call) -> Pilot:
    name = call.path["pilot"]
    try:
        found = service.by_id(call.session, name)
    except AppError:
        raise unknown("pilot", name) from None
    if not call.caller.sees(found.programme_id):
        raise unknown("pilot", name)
    return found


def _chosen(call: Call, pilot: Pilot) -> list[Store] | None:
    """The stores that a widening names, none of them for empty lists; None where it has no lists: all stores."""
    stores, regions = (call.body.get(name) for name in ("stores", "regions"))
    if stores is None and regions is None:
        return None
    programme = call.session.get_one(Programme, pilot.programme_id)
    return _stores(call, programme, stores or (), regions or (), field="stores")


def _stores(
    call: Call, programme: Programme, names: Sequence[str], regions: Sequence[str], *, field: str
) -> list[Store]:
    """The stores that are named, with those of the regions."""
    query = select(Store).where(Store.public_id.in_(names), Store.programme_id == programme.id)
    found = {store.public_id: store for store in call.session.scalars(query.order_by(Store.id))} if names else {}
    for name in names:
        if name not in found:
            raise unknown("store", name, field=field)
    if regions:
        found |= {store.public_id: store for store in service.in_regions(call.session, programme, regions)}
    return list(found.values())


def _shape(call: Call, row: Pilot, owner: str) -> Body:
    arms = service.stores_of(call.session, row)
    return {
        "id": row.public_id,
        "programme": owner,
        **{name: getattr(row, name) for name in ("name", "kind", "subject", "state", "outcome")},
        "starts_on": row.starts_on.isoformat(),
        "ends_on": row.ends_on.isoformat(),
        "stores": [{"store": store.public_id, "arm": arm} for arm, stores in arms.items() for store in stores],
        "created_at": shapes.moment(row.created_at),
        "ended_at": shapes.moment(row.ended_at) if row.ended_at else None,
    }


def _in_full(call: Call, row: Pilot) -> Body:
    programme = call.session.get_one(Programme, row.programme_id)
    found = reporting.report(call.session, row, now=call.now)
    report = {
        "interim": found.is_interim,
        "before": _span(found.before),
        "during": _span(found.during),
        "trials": {metric: _trial(trial) for metric, trial in found.trials.items()},
        "stores": [
            {
                "store": one.public_id, "arm": one.arm, "before": _figures(one.before, programme.currency),
                "during": _figures(one.during, programme.currency),
            }
            for one in found.stores
        ],
    }  # fmt: skip
    return {**_shape(call, row, programme.public_id), "report": report}


def _span(span: Span | None) -> Body | None:
    return None if span is None else {"first": span.first.isoformat(), "last": span.last.isoformat()}


def _trial(found: Trial | None) -> Body | None:
    if found is None:
        return None
    limits = found.limits
    return {
        **{
            arm: {name: round(getattr(change, name), DIGITS) for name in ("before", "during")}
            for arm, change in (("pilot", found.pilot), ("control", found.control))
        },
        "effect": round(found.effect, DIGITS),
        "limits": None if limits is None else {"low": round(limits.low, DIGITS), "high": round(limits.high, DIGITS)},
        "pilot_stores": found.pilot_stores,
        "control_stores": found.control_stores,
    }


def _figures(found: Figures, currency: str) -> Body:
    return {
        "members": found.members,
        "repeaters": found.repeaters,
        "purchases": found.visits,
        "spend": money.decimal_text(found.spend_minor, currency),
    }


OPERATIONS = (
    Operation(
        method="POST",
        rule="/pilots",
        name="create_pilot",
        summary="Begin a pilot",
        description=(
            "What is tried must be limited to the stores of the pilot already, and hold in none of those that they "
            "are compared with. Two stores or more in each group make an interval possible."
        ),
        tag="pilots",
        scope="write",
        work=create_pilot,
        body=wanted.NewPilot,
        answer=wanted.PilotInFull,
        status=201,
    ),
    Operation(
        method="GET",
        rule="/pilots",
        name="list_pilots",
        summary="List pilots",
        tag="pilots",
        work=list_pilots,
        query=PageOfProgramme,
        answer=wanted.PilotPage,
    ),
    Operation(
        method="GET",
        rule="/pilots/<pilot>",
        name="read_pilot",
        summary="Read a pilot with what it changed",
        description=(
            "Each store is compared with itself before; what changed in the control stores is taken off. Repeat is "
            "the share of members with two purchases or more, frequency the purchases of a member, basket the minor "
            "units of a purchase. A trial is null where a group has no store with purchases."
        ),
        tag="pilots",
        work=read_pilot,
        answer=wanted.PilotInFull,
    ),
    Operation(
        method="POST",
        rule="/pilots/<pilot>/widen",
        name="widen_pilot",
        summary="Widen a pilot",
        description=(
            "To all stores, or to those that are named; lists that name no store are refused. An offer or rule holds "
            "there from the next purchase on. Of a campaign, which must have been launched, a copy goes to the others, "
            "at once or at its next date; its id is in outcome, with what it waits for (waits, such as "
            "approval_needed) if it may not go yet. Its offer comes to hold in these stores too; if it was limited to "
            "fewer, its id is in outcome."
        ),
        tag="pilots",
        scope="write",
        work=widen_pilot,
        body=wanted.Widening,
        answer=wanted.PilotInFull,
        refusals=(409,),
    ),
    Operation(
        method="POST",
        rule="/pilots/<pilot>/stop",
        name="stop_pilot",
        summary="Stop a pilot and what it tries",
        tag="pilots",
        scope="write",
        work=stop_pilot,
        answer=wanted.PilotInFull,
        refusals=(409,),
    ),
)
