"""When units expire: a card's whole ladder, and letting lots live longer than was promised."""

from app.api import cards, expiry_shapes
from app.api.calls import Body, Call, Operation
from app.api.shapes import moment
from app.counter import lasting


def read_ladder(call: Call) -> Body:
    """What of a card expires on which day."""
    card = cards.seen(call, call.path["number"])
    unit = call.query["unit"]
    found = lasting.ladder(call.session, card.member_id, unit, card.programme.timezone)
    steps = [
        {"units": step.units, "last_on": step.last_on.isoformat(), "expires_at": moment(step.expires_at)}
        for step in found.steps
    ]
    return {"unit": unit, "steps": steps, "never": found.never}


def lengthen_lots(call: Call) -> Body:
    """Let lots live longer, a bounded number at once."""
    body = call.body
    programme = call.programme(call.path["programme"])
    wanted = lasting.Lengthening(
        unit=body["unit"], until=body["until"], ending_by=body["ending_by"], reason=body["reason"]
    )
    done = lasting.lengthen(call.session, programme, wanted, actor=call.caller.actor, now=call.now)
    return {"lots": done.lots, "complete": done.complete}


OPERATIONS = (
    Operation(
        method="GET",
        rule="/cards/<number>/ladder",
        name="read_ladder",
        summary="What of a card expires on which day, the soonest first",
        description="A step is all that can be spent on `last_on` for the last time; `never` does not expire.",
        tag="cards",
        work=read_ladder,
        query=expiry_shapes.UnitWanted,
        answer=expiry_shapes.Ladder,
    ),
    Operation(
        method="POST",
        rule="/programmes/<programme>/lengthen",
        name="lengthen_lots",
        summary="Let units of all members live until a later day",
        description=(
            "Lots that live longer already are left alone, and nothing can be shortened. At most "
            f"{lasting.LOTS_AT_ONCE:,} lots are changed by one call: ask again, with a new key, until `complete`."
        ),
        tag="programmes",
        scope="admin",
        work=lengthen_lots,
        body=expiry_shapes.Lengthening,
        answer=expiry_shapes.Lengthened,
    ),
)
