"""What can be done with members and their cards."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, case, delete, func, literal, or_, select, type_coerce, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.sql.elements import ColumnElement

from app import ids
from app.cards import birthdays, codes, consents, holding, people
from app.cards.consents import Answer, Witness
from app.cards.models import Asset, Card, Member, Preference, Programme, Suppression, Tier
from app.cards.people import Person
from app.clock import milliseconds
from app.db import insert_if_new
from app.errors import Conflict, NotFound
from app.outbox import service as outbox_service
from app.outbox.service import Lane
from app.webhooks import kinds
from app.webhooks import service as webhooks


def enrol(
    session: Session,
    programme: Programme,
    person: Person,
    *,
    language: str,
    source: str,
    consent: bool,
    now: datetime,
    attributes: Mapping[str, Any] | None = None,
    proof: str = "",
    home_store_id: int | None = None,
) -> Card:
    """Make a member and their card. `home_store_id`: where they joined, if that is known.

    Raises: Conflict `programme_closed`, if the programme takes no new members; Conflict `already_member`, if the e-mail
    or phone is known in the programme (the unique index decides, so two at once make one member).
    """
    if programme.status != "live":
        raise Conflict("programme_closed", "This programme takes no new members at the moment.")
    member = Member(
        public_id=ids.public_id("mem"),
        programme_id=programme.id,
        sealed=people.seal(session, person),
        email_index=people.email_digest(session, programme.id, person.email),
        phone_index=people.phone_digest(session, programme.id, person.phone),
        language=language,
        attributes=dict(attributes or {}),
        source=source,
        home_store_id=home_store_id,
        created_at=now,
    )
    birthdays.note_first(session, member, person.birthday, now=now)
    _insert_member(session, member)
    set_consent(session, member, granted=consent, source=source, proof=proof, now=now)
    return _new_card(session, programme, member, kind="loyalty", now=now)


def enrol_anonymous(session: Session, programme: Programme, kind: str, *, source: str, now: datetime) -> Card:
    """Make a card of *kind* (bearer or gift) that belongs to whoever shows it: its member is nobody."""
    member = Member(
        public_id=ids.public_id("mem"),
        programme_id=programme.id,
        language=programme.language,
        source=source,
        created_at=now,
        birthday_index=birthdays.NONE_KNOWN,
    )
    session.add(member)
    session.flush()
    return _new_card(session, programme, member, kind=kind, now=now)


def make_personal(
    session: Session, card: Card, person: Person, *, language: str, consent: bool, source: str, now: datetime
) -> None:
    """Give a locked card without a person to somebody: from now on it is a loyalty card, with all that it has.

    Raises: Conflict `already_member`, if the e-mail or phone is known in the programme.
    """
    member = card.member
    try:
        with session.begin_nested():
            member.email_index = people.email_digest(session, card.programme_id, person.email)
            member.phone_index = people.phone_digest(session, card.programme_id, person.phone)
            member.sealed, member.language = people.seal(session, person), language
            birthdays.note_first(session, member, person.birthday, now=now)
    except IntegrityError as problem:
        raise _already_member() from problem
    set_consent(session, member, granted=consent, source=source, now=now)
    card.kind = "loyalty"
    card.tier_id = card.tier_id or _first_tier(session, card.programme)
    session.flush()
    touch(session, card, lane=Lane.URGENT, now=now)


def set_consent(
    session: Session,
    member: Member,
    *,
    granted: bool,
    source: str,
    now: datetime,
    purpose: str = "marketing",
    channel: str = "wallet",
    proof: str = "",
) -> None:
    """Record an answer; the newest answer for a purpose and channel decides."""
    answer = Answer(purpose=purpose, channel=channel, granted=granted, proof=proof)
    consents.record(session, member, answer, Witness(source=source), now=now)


def lock(session: Session, card_id: int) -> Card:
    """The card's row, fresh and locked until the transaction ends: whatever is decided from here on stays true.

    Raises: NotFound `unknown_card`.
    """
    query = select(Card).where(Card.id == card_id).with_for_update(of=Card).execution_options(populate_existing=True)
    card = session.scalars(query).one_or_none()
    if card is None:
        raise NotFound("unknown_card", "There is no such card.")
    return card


def touch(session: Session, card: Card, *, lane: Lane, now: datetime) -> int:
    """Raise the card's version, and with it what every phone must be brought up to, in the caller's transaction.

    `modified_at` moves on by at least one whole second: HTTP dates have no fractions, and the second change within a
    second would be lost behind a 304.

    Returns: the new version.
    """
    changed = update(Card).where(Card.id == card.id).values(version=Card.version + 1, modified_at=next_modified(now))
    now_so = changed.returning(Card.version, Card.modified_at)
    row = session.execute(now_so, execution_options={"synchronize_session": False}).one()
    set_committed_value(card, "version", row.version)
    set_committed_value(card, "modified_at", row.modified_at)
    outbox_service.raise_want(session, card_id=card.id, version=row.version, lane=lane, now_ms=milliseconds(now))
    status = {"status": card.status}
    webhooks.announce(session, programme_id=card.programme_id, kind=kinds.CARD_UPDATED, data=status, card=card, now=now)
    return int(row.version)


def next_modified(now: datetime) -> ColumnElement[datetime]:
    """The present second, or the one after a card's last change if that is later, as a column of an UPDATE."""
    whole_second = literal(int(now.timestamp()) * 1000, BigInteger)
    before = type_coerce(Card.modified_at, BigInteger)
    return type_coerce(case((before + 1000 > whole_second, before + 1000), else_=whole_second), Card.modified_at.type)


def by_number(session: Session, text: str, *, programme_id: int | None = None) -> Card | None:
    """The card with that number, however it was typed; None when the check symbol is wrong or nobody has it."""
    number = codes.normalise(text)
    if number is None:
        return None
    query = _with_all().where(Card.number == number)
    if programme_id is not None:
        query = query.where(Card.programme_id == programme_id)
    return session.scalars(query).one_or_none()


def by_link(session: Session, link: str) -> Card | None:
    """The card behind a customer's page."""
    return session.scalars(_with_all().where(Card.link == link)).one_or_none()


def by_serial(session: Session, pass_type: str, serial: str) -> Card | None:
    """The card that a phone knows by pass type and serial."""
    query = _with_all().join(Programme).where(Card.serial == serial, Programme.pass_type_identifier == pass_type)
    return session.scalars(query).one_or_none()


def by_contact(session: Session, programme: Programme, person: Person) -> Card | None:
    """The card of whoever has this e-mail address or phone number in the programme."""
    wanted = [
        column == digest
        for column, digest in (
            (Member.email_index, people.email_digest(session, programme.id, person.email)),
            (Member.phone_index, people.phone_digest(session, programme.id, person.phone)),
        )
        if digest
    ]
    if not wanted:
        return None
    query = _with_all().join(Member).where(Member.programme_id == programme.id, or_(*wanted)).limit(1)
    return session.scalars(query).one_or_none()


def erase(session: Session, member: Member, *, now: datetime) -> bool:
    """Forget the person and void their card on both wallets; the ledger keeps its sums. False when already done."""
    if member.status == "erased":
        return False
    for digest in (member.email_index, member.phone_index):
        if digest:
            _suppress(session, member.programme_id, digest, now)
    member.sealed = None
    member.email_index = member.phone_index = None
    member.attributes = {}
    member.marketing_consent = False
    member.timezone = None
    birthdays.forget(member)
    session.execute(delete(Preference).where(Preference.member_id == member.id))
    member.status = "erased"
    member.erased_at = now
    session.flush()
    for card in session.scalars(select(Card).where(Card.member_id == member.id)):
        card.status = "erased"
        holding.forgotten(session, card.id, now=now)
        session.flush()
        touch(session, card, lane=Lane.URGENT, now=now)
    return True


def assets(session: Session, programme_id: int) -> dict[str, Asset]:
    """The pictures in use, by slot: icon, logo, strip, hero."""
    newest = select(func.max(Asset.id)).where(Asset.programme_id == programme_id).group_by(Asset.slot)
    return {asset.slot: asset for asset in session.scalars(select(Asset).where(Asset.id.in_(newest)))}


def _with_all() -> Any:
    return select(Card).options(
        joinedload(Card.programme).selectinload(Programme.tiers), joinedload(Card.member), joinedload(Card.tier)
    )


def _new_card(session: Session, programme: Programme, member: Member, *, kind: str, now: datetime) -> Card:
    card = Card(
        programme=programme,
        member=member,
        tier_id=_first_tier(session, programme) if kind != "gift" else None,
        number=codes.new_number(),
        serial=ids.unguessable(),
        link=ids.unguessable(),
        version=1,
        modified_at=now.replace(microsecond=0),
        created_at=now,
        kind=kind,
    )
    session.add(card)
    session.flush()
    about = {"member": member.public_id}
    webhooks.announce(session, programme_id=programme.id, kind=kinds.CARD_CREATED, data=about, card=card, now=now)
    return card


def _first_tier(session: Session, programme: Programme) -> int | None:
    query = select(Tier.id).where(Tier.programme_id == programme.id, Tier.threshold_minor == 0)
    return session.scalars(query.order_by(Tier.position)).first()


def _insert_member(session: Session, member: Member) -> None:
    try:
        with session.begin_nested():
            session.add(member)
    except IntegrityError as problem:
        raise _already_member() from problem


def _already_member() -> Conflict:
    return Conflict("already_member", "Somebody with this e-mail address or phone number is a member already.")


def _suppress(session: Session, programme_id: int, digest: str, now: datetime) -> None:
    insert_if_new(session, Suppression, programme_id=programme_id, digest=digest, at=now)
