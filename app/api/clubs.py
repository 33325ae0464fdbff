"""Clubs: made and ended, joined and renewed; addresses for their members alone."""

from sqlalchemy import select

from app.api import cards, clubs_shapes, incoming, listing, shapes
from app.api.calls import Body, Call, Operation, unknown
from app.cards.models import Card, Programme, Tier
from app.clubs import gates, service
from app.clubs.gates import GatedLinkDraft
from app.clubs.models import Club, ClubMembership, GatedLink
from app.clubs.service import ClubDraft, Term
from app.errors import NotFound


def create_club(call: Call) -> Body:
    """Make a club."""
    body = dict(call.body)
    programme = call.programme(body.pop("programme"))
    made = service.create(call.session, ClubDraft(programme=programme, **body), by=call.caller.actor, now=call.now)
    call.record("club_created", f"club:{made.public_id}", slug=made.slug, name=made.name)
    return _shape(made, programme.public_id)


def list_clubs(call: Call) -> Body:
    """The clubs that the key may see."""
    query = select(Club, Programme.public_id).join(Programme, Programme.id == Club.programme_id)
    return listing.answer(call, "clubs", query, Club, _shape)


def end_club(call: Call) -> Body:
    """Let nobody join or renew any more."""
    row = _named(call, call.path["club"])
    service.end(call.session, row)
    call.record("club_ended", f"club:{row.public_id}")
    return _shape(row, row.programme.public_id)


def list_memberships(call: Call) -> Body:
    """A card's clubs, those that are over too."""
    card = cards.seen(call, call.path["number"])
    found = service.of_member(call.session, card.member_id)
    return {"items": [_membership(call, one, card) for one in found]}


def join_club(call: Call) -> Body:
    """Make the holder of a card a member of a club."""
    body, card = call.body, cards.seen(call, call.path["number"])
    term = Term(since=body["since"], until=body["until"], reference=body["reference"])
    club = _named(call, body["club"])
    made = service.join(call.session, club, card, term, by=call.caller.actor, now=call.now)
    return _recorded(call, "club_joined", made, card)


def renew_club(call: Call) -> Body:
    """Let a membership go on from its end, or from today if that has passed."""
    body, card = call.body, cards.seen(call, call.path["number"])
    term = Term(until=body["until"], reference=body["reference"])
    club = _named(call, body["club"])
    made = service.renew(call.session, club, card, term, by=call.caller.actor, now=call.now)
    return _recorded(call, "club_renewed", made, card)


def leave_club(call: Call) -> Body:
    """End a membership at once."""
    body, card = call.body, cards.seen(call, call.path["number"])
    club = _named(call, body["club"])
    made = service.leave(call.session, club, card, reason=body["reason"], by=call.caller.actor, now=call.now)
    return _recorded(call, "club_left", made, card)


def create_gated_link(call: Call) -> Body:
    """Make an address for members of a club, or for a tier."""
    body = dict(call.body)
    programme = call.programme(body.pop("programme"))
    club, tier = body.pop("club"), body.pop("tier")
    draft = GatedLinkDraft(
        programme=programme, club=_named(call, club) if club else None,
        tier=_tier(programme, tier) if tier else None, **body,
    )  # fmt: skip
    made = gates.create(call.session, draft, now=call.now)
    call.record("gated_link_created", f"gated_link:{made.public_id}", slug=made.slug, target_url=made.target_url)
    return _link(made, programme.public_id)


def list_gated_links(call: Call) -> Body:
    """The gated links that the key may see."""
    query = select(GatedLink, Programme.public_id).join(Programme, Programme.id == GatedLink.programme_id)
    return listing.answer(call, "gated_links", query, GatedLink, _link)


def close_gated_link(call: Call) -> Body:
    """Open an address to nobody any more."""
    name = call.path["link"]
    query = select(GatedLink, Programme).join(Programme, Programme.id == GatedLink.programme_id)
    found = call.session.execute(query.where(GatedLink.public_id == name)).one_or_none()
    if found is None or not call.caller.sees(found[1].id):
        raise unknown("gated_link", name)
    closed = gates.close(call.session, found[1].id, name)
    call.record("gated_link_closed", f"gated_link:{closed.public_id}")
    return _link(closed, found[1].public_id)


def _named(call: Call, name: str) -> Club:
    try:
        found = service.by_id(call.session, name)
    except NotFound:
        raise unknown("club", name) from None
    if not call.caller.sees(found.programme_id):
        raise unknown("club", name)
    return found


def _tier(programme: Programme, name: str) -> Tier:
    for tier in programme.tiers:
        if name in {shapes.tier_id(tier.id), tier.name}:
            return tier
    raise unknown("tier", name)


def _recorded(call: Call, action: str, made: ClubMembership, card: Card) -> Body:
    last = service.last_day(made).isoformat()
    call.record(action, f"card:{card.serial}", club=made.club.public_id, last_day=last)
    return _membership(call, made, card)


def _shape(row: Club, owner: str) -> Body:
    names = ("slug", "name", "benefits", "term_months", "texts", "state")
    return {
        "id": row.public_id,
        "programme": owner,
        **{name: getattr(row, name) for name in names},
        "created_at": shapes.moment(row.created_at),
    }


def _membership(call: Call, row: ClubMembership, card: Card) -> Body:
    return {
        "club": row.club.public_id,
        "card": card.number,
        "starts_at": shapes.moment(row.starts_at),
        "ends_at": shapes.moment(row.ends_at),
        "last_day": service.last_day(row).isoformat(),
        "is_running": row.starts_at <= call.now < row.ends_at,
    }


def _link(row: GatedLink, owner: str) -> Body:
    return {
        "id": row.public_id,
        "programme": owner,
        "slug": row.slug,
        "title": row.title,
        "target_url": row.target_url,
        "club": row.club.public_id if row.club else None,
        "tier": shapes.tier_id(row.tier_id) if row.tier_id else None,
        "active": row.active,
        "created_at": shapes.moment(row.created_at),
    }


OPERATIONS = (
    Operation(
        method="POST",
        rule="/clubs",
        name="create_club",
        summary="Make a club",
        tag="clubs",
        scope="write",
        work=create_club,
        body=clubs_shapes.NewClub,
        answer=clubs_shapes.Club,
        status=201,
    ),
    Operation(
        method="GET",
        rule="/clubs",
        name="list_clubs",
        summary="List clubs",
        tag="clubs",
        work=list_clubs,
        query=incoming.PageOfProgramme,
        answer=clubs_shapes.ClubPage,
    ),
    Operation(
        method="POST",
        rule="/clubs/<club>/end",
        name="end_club",
        summary="End a club",
        description="Nobody joins or renews any more; memberships run to their end.",
        tag="clubs",
        scope="write",
        work=end_club,
        answer=clubs_shapes.Club,
        refusals=(409,),
    ),
    Operation(
        method="GET",
        rule="/cards/<number>/clubs",
        name="list_memberships",
        summary="List a card's clubs",
        tag="clubs",
        work=list_memberships,
        answer=clubs_shapes.MembershipList,
    ),
    Operation(
        method="POST",
        rule="/cards/<number>/clubs",
        name="join_club",
        summary="Let a card join a club",
        tag="clubs",
        scope="write",
        work=join_club,
        body=clubs_shapes.NewMembership,
        answer=clubs_shapes.Membership,
        status=201,
    ),
    Operation(
        method="POST",
        rule="/cards/<number>/clubs/renew",
        name="renew_club",
        summary="Renew a membership",
        description="It goes on from its end, or from today if that has passed.",
        tag="clubs",
        scope="write",
        work=renew_club,
        body=clubs_shapes.NewMembership,
        answer=clubs_shapes.Membership,
        status=201,
    ),
    Operation(
        method="POST",
        rule="/cards/<number>/clubs/leave",
        name="leave_club",
        summary="End a membership at once",
        tag="clubs",
        scope="write",
        work=leave_club,
        body=clubs_shapes.Leaving,
        answer=clubs_shapes.Membership,
    ),
    Operation(
        method="POST",
        rule="/gated-links",
        name="create_gated_link",
        summary="Make an address for members of a club, or for a tier",
        description="Their card page opens it with a token that lasts 15 minutes.",
        tag="clubs",
        scope="write",
        work=create_gated_link,
        body=clubs_shapes.NewGatedLink,
        answer=clubs_shapes.GatedLink,
        status=201,
    ),
    Operation(
        method="GET",
        rule="/gated-links",
        name="list_gated_links",
        summary="List gated links",
        tag="clubs",
        work=list_gated_links,
        query=incoming.PageOfProgramme,
        answer=clubs_shapes.GatedLinkPage,
    ),
    Operation(
        method="POST",
        rule="/gated-links/<link>/close",
        name="close_gated_link",
        summary="Open an address to nobody any more",
        tag="clubs",
        scope="write",
        work=close_gated_link,
        answer=clubs_shapes.GatedLink,
    ),
)
