"""Members: enrolled, read, changed, erased."""

from sqlalchemy import Select, select
from sqlalchemy.orm import contains_eager, joinedload

from app.api import incoming, listing, outgoing, paging, shapes
from app.api.calls import Body, Call, Operation, unknown
from app.api.cards import store_named
from app.cards import people
from app.cards import service as cards
from app.cards.models import Card, Member
from app.counter import leaving
from app.errors import Conflict
from app.ledger import service as ledger
from app.outbox.service import Lane

NO_COUNTRY = "ZZ"  # a machine gives phone numbers with their country code; guessing would find the wrong person


def enrol(call: Call) -> Body:
    """Make a member and their card."""
    body = call.body
    programme = call.programme(body["programme"])
    store = store_named(call, body["store"])
    if store is not None and store.programme_id != programme.id:
        raise unknown("store", body["store"])
    person = people.checked(
        body["name"],
        email=body["email"],
        phone=body["phone"],
        birthday=body["birthday"],
        region=NO_COUNTRY,
    )
    people.check_born(body["birthday"], call.now)
    card = cards.enrol(
        call.session,
        programme,
        person,
        language=body["language"] or programme.language,
        source="api",
        consent=body["marketing_consent"],
        attributes=body["attributes"],
        home_store_id=store.id if store else None,
        now=call.now,
    )
    return _enrolled(call, card, balance=0)


def read_member(call: Call) -> Body:
    """One member with their personal data."""
    card = _card_of(call)
    return _whole(call, card, ledger.balance_of(call.session, card.member_id))


def list_members(call: Call) -> Body:
    """The members that the key may see."""
    found, following = listing.rows(call, "members", _cards(), Card)
    balances = ledger.balances_of(call.session, [card.member_id for (card,) in found])
    return paging.answer([_whole(call, card, balances[card.member_id]) for (card,) in found], following)


def change_member(call: Call) -> Body:
    """Change consent, language or attributes."""
    card = _locked(call)
    member = card.member
    if member.status == "erased":
        raise Conflict("member_erased", "This member was erased; there is nothing left to change.")
    if "marketing_consent" in call.body:
        granted = call.body["marketing_consent"]
        cards.set_consent(call.session, member, granted=granted, source="api", now=call.now)
    if "attributes" in call.body:
        member.attributes = call.body["attributes"]
    if call.body.get("language", member.language) != member.language:
        member.language = call.body["language"]
        call.session.flush()
        cards.touch(call.session, card, lane=Lane.NORMAL, now=call.now)
    call.record("member_changed", f"member:{member.public_id}", fields=sorted(call.body))
    return _enrolled(call, card, balance=ledger.balance_of(call.session, card.member_id))


def erase(call: Call) -> None:
    """Forget the person; again changes nothing."""
    card = _locked(call)
    if leaving.erase(call.session, card, now=call.now):
        call.record("member_erased", f"member:{card.member.public_id}")


def _cards() -> Select[Card]:
    return (
        select(Card)
        .join(Card.member)
        .options(contains_eager(Card.member), joinedload(Card.programme), joinedload(Card.tier))
    )


def _card_of(call: Call) -> Card:
    name = call.path["member"]
    card = call.session.scalars(_cards().where(Member.public_id == name)).one_or_none()
    if card is None or not call.caller.sees(card.programme_id):
        raise unknown("member", name)
    return card


def _locked(call: Call) -> Card:
    """The member's card, locked, and the member as they are now: two erasures at once are one."""
    card = cards.lock(call.session, _card_of(call).id)
    call.session.refresh(card.member)
    return card


def _enrolled(call: Call, card: Card, *, balance: int) -> Body:
    return {**shapes.enrolled(card.member, card.programme.public_id), "card": _card(call, card, balance)}


def _whole(call: Call, card: Card, balance: int) -> Body:
    person = shapes.person(call.session, card.member, card.programme.public_id)
    return {**person, "card": _card(call, card, balance)}


def _card(call: Call, card: Card, balance: int) -> Body:
    tier = card.tier.name if card.tier else None
    return shapes.card(card, balance=balance, tier=tier, settings=call.settings)


OPERATIONS = (
    Operation(
        method="POST",
        rule="/members",
        name="enrol",
        summary="Enrol a member and issue their card",
        tag="members",
        scope="write",
        work=enrol,
        body=incoming.NewMember,
        answer=outgoing.Enrolled,
        status=201,
    ),
    Operation(
        method="GET",
        rule="/members",
        name="list_members",
        summary="List members",
        tag="members",
        work=list_members,
        query=incoming.PageOfProgramme,
        answer=outgoing.MemberPage,
    ),
    Operation(
        method="GET",
        rule="/members/<member>",
        name="read_member",
        summary="Read a member",
        tag="members",
        work=read_member,
        answer=outgoing.Member,
    ),
    Operation(
        method="PATCH",
        rule="/members/<member>",
        name="change_member",
        summary="Change consent, language or attributes",
        tag="members",
        scope="write",
        work=change_member,
        body=incoming.MemberChange,
        answer=outgoing.Enrolled,
    ),
    Operation(
        method="DELETE",
        rule="/members/<member>",
        name="erase_member",
        summary="Erase the person; the ledger keeps its sums and both wallets void the card. Again: the same answer",
        description="Loaded money is settled first: 409 stored_value_left says how much there is.",
        tag="members",
        scope="write",
        work=erase,
        status=204,
    ),
)
