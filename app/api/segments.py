"""Segments: saved rules that select members; tried out, counted, and said why."""

from sqlalchemy import select

from app.api import cards, incoming, listing, paging, segments_shapes, shapes
from app.api.calls import Body, Call, Operation, unknown
from app.cards.models import Programme
from app.errors import NotFound
from app.segments import references, service, words
from app.segments.models import Segment
from app.segments.reasons import Verdict
from app.segments.rules import Rule
from app.segments.service import SegmentDraft
from app.segments.words import Speaking

LANGUAGE = "en"


def create_segment(call: Call) -> Body:
    """Save rules under a name."""
    programme = call.programme(call.body["programme"])
    draft = SegmentDraft(programme=programme, name=call.body["name"], rules=call.body["rules"])
    made = service.create(call.session, draft, by=call.caller.actor, now=call.now)
    call.record("segment_created", f"segment:{made.public_id}", name=made.name)
    return _counted(call, made, programme)


def list_segments(call: Call) -> Body:
    """The segments that the key may see."""
    query = select(Segment, Programme).join(Programme, Programme.id == Segment.programme_id)
    if call.query["archived"] != "true":
        query = query.where(Segment.state == "live")
    return listing.answer(call, "segments", query, Segment, lambda row, owner: _shape(call, row, owner))


def read_segment(call: Call) -> Body:
    """One segment with how many are in it now."""
    return _counted(call, *_named(call))


def change_segment(call: Call) -> Body:
    """Give a segment another name or other rules."""
    row, programme = _named(call)
    changed = service.change(call.session, row, name=call.body.get("name"), rules=call.body.get("rules"), now=call.now)
    call.record("segment_changed", f"segment:{row.public_id}", fields=sorted(call.body), revision=changed.revision)
    return _counted(call, changed, programme)


def archive_segment(call: Call) -> Body:
    """Let nobody choose a segment any more."""
    row, programme = _named(call)
    was = row.state
    service.archive(call.session, row, now=call.now)
    if was != row.state:
        call.record("segment_archived", f"segment:{row.public_id}")
    return _shape(call, row, programme)


def try_segment(call: Call) -> Body:
    """How many fit some rules now, and some of them; nothing is saved."""
    programme = call.programme(call.body["programme"])
    rule = service.read(call.session, programme, call.body["rules"])
    found = service.count(call.session, programme.id, rule, now=call.now)
    some = service.sample(call.session, programme.id, rule, now=call.now) if found.cards else []
    return {
        "count": found.cards,
        "hint": str(found.hint),
        "sentence": _sentence(call, rule, programme),
        "sample": [card.member.public_id for card in some],
    }


def list_segment_members(call: Call) -> Body:
    """Who is in a segment now, in pages: whoever enters or leaves meanwhile may be missed or seen."""
    row, programme = _named(call)
    limit, name = call.query["limit"], f"segment:{row.public_id}"
    after = int(paging.place_of(call.vault, name, call.query["cursor"])) if call.query["cursor"] else 0
    rule = service.rule_of(call.session, row)
    found = service.members(call.session, programme.id, rule, after=after, limit=limit + 1, now=call.now)
    items, following = paging.page(call.vault, name, found, limit, place=lambda one: one[0])
    return paging.answer([{"member": member, "card": number} for _id, number, member in items], following)


def why_in_segment(call: Call) -> Body:
    """Why a card is in a segment, or out of it."""
    row, programme = _named(call)
    card = cards.seen(call, call.path["number"])
    if card.programme_id != programme.id:
        raise unknown("card")
    rule = service.rule_of(call.session, row)
    found = service.why(call.session, rule, card, now=call.now, language=LANGUAGE)
    return {"card": card.number, "is_in": found.holds, "because": _verdict(found)}


def _named(call: Call) -> tuple[Segment, Programme]:
    name = call.path["segment"]
    try:
        found = service.by_id(call.session, name)
    except NotFound:
        raise unknown("segment", name) from None
    if not call.caller.sees(found.programme_id):
        raise unknown("segment", name)
    return found, call.session.get_one(Programme, found.programme_id)


def _shape(call: Call, row: Segment, owner: Programme) -> Body:
    return {
        "id": row.public_id,
        "programme": owner.public_id,
        "name": row.name,
        "rules": row.rules,
        "sentence": _sentence(call, service.rule_of(call.session, row), owner),
        "state": row.state,
        "revision": row.revision,
        "created_at": shapes.moment(row.created_at),
        "changed_at": shapes.moment(row.changed_at),
    }


def _counted(call: Call, row: Segment, owner: Programme) -> Body:
    found = service.count(call.session, owner.id, service.rule_of(call.session, row), now=call.now)
    return {**_shape(call, row, owner), "count": found.cards, "hint": str(found.hint)}


def _sentence(call: Call, rule: Rule, owner: Programme) -> str:
    choices = references.choices(call.session, owner.id)
    speaking = Speaking(language=LANGUAGE, currency=owner.currency, timezone=owner.timezone, choices=choices)
    return words.sentence(rule, speaking)


def _verdict(found: Verdict) -> Body:
    parts = [_verdict(part) for part in found.parts]
    return {"holds": found.holds, "sentence": found.sentence, "own": found.own, "parts": parts}


OPERATIONS = (
    Operation(
        method="POST",
        rule="/segments",
        name="create_segment",
        summary="Save a segment",
        tag="segments",
        scope="write",
        work=create_segment,
        body=segments_shapes.NewSegment,
        answer=segments_shapes.CountedSegment,
        status=201,
    ),
    Operation(
        method="GET",
        rule="/segments",
        name="list_segments",
        summary="List segments",
        tag="segments",
        work=list_segments,
        query=segments_shapes.SegmentsAsked,
        answer=segments_shapes.SegmentPage,
    ),
    Operation(
        method="POST",
        rule="/segments/try",
        name="try_segment",
        summary="Try rules out",
        description="How many members fit now, and ten of them; nothing is saved.",
        tag="segments",
        work=try_segment,
        body=segments_shapes.RulesToTry,
        answer=segments_shapes.TriedSegment,
        asks=True,
    ),
    Operation(
        method="GET",
        rule="/segments/<segment>",
        name="read_segment",
        summary="Read a segment, with how many are in it now",
        tag="segments",
        work=read_segment,
        answer=segments_shapes.CountedSegment,
    ),
    Operation(
        method="PATCH",
        rule="/segments/<segment>",
        name="change_segment",
        summary="Change a segment",
        description="Offers and campaigns that name it go by its new rules from then on.",
        tag="segments",
        scope="write",
        work=change_segment,
        body=segments_shapes.SegmentChange,
        answer=segments_shapes.CountedSegment,
        refusals=(409,),
    ),
    Operation(
        method="POST",
        rule="/segments/<segment>/archive",
        name="archive_segment",
        summary="Archive a segment",
        description="Refused with `segment_in_use` while an offer, a campaign or a rule of earning names it.",
        tag="segments",
        scope="write",
        work=archive_segment,
        answer=segments_shapes.Segment,
        refusals=(409,),
    ),
    Operation(
        method="GET",
        rule="/segments/<segment>/members",
        name="list_segment_members",
        summary="List who is in a segment",
        tag="segments",
        work=list_segment_members,
        query=incoming.Page,
        answer=segments_shapes.SegmentMemberPage,
    ),
    Operation(
        method="GET",
        rule="/segments/<segment>/cards/<number>",
        name="why_in_segment",
        summary="Say why a card is in a segment, or out of it",
        tag="segments",
        work=why_in_segment,
        answer=segments_shapes.SegmentWhy,
    ),
)
