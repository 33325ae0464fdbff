"""Joining a programme: one form, one card, however often the button is pressed."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import idempotency, ids
from app.cards import service as cards
from app.cards.models import Card, Programme, Store
from app.cards.people import Person
from app.cards.people import of as person_of
from app.enrolment import mail, one_time
from app.enrolment.forms import JoinForm
from app.errors import Conflict, NotFound, TooManyRequests
from app.i18n import text
from app.staff import throttle
from app.world import World

TRIES = throttle.Lock(kind="join", limit=11, window_s=60, lock_s=60)
MAILS = throttle.Lock(kind="join_mail", limit=4, window_s=3600, lock_s=3600)
LONGEST_TAG = 64
POSTER = "poster:"


@dataclass(frozen=True, kw_only=True)
class Joined:
    """The card that came of a form, made now or earlier; or, without one, the id of the one-time code now asked for."""

    card: Card | None = None
    code_id: str = ""


def count_try(world: World, address: str) -> None:
    """Count one try of this network address, in a transaction of its own.

    Raises: TooManyRequests `too_many_tries`, from the eleventh within a minute.
    """
    now = world.clock()
    with world.database.unit_of_work() as session:
        tries = throttle.count_failure(session, TRIES, address, now=now)
    if tries >= TRIES.limit:
        text = "There were too many tries from this place."
        raise TooManyRequests("too_many_tries", text, retry_after_s=TRIES.lock_s)


def join(session: Session, programme: Programme, form: JoinForm, *, language: str, source: str, now: datetime) -> Card:
    """Make a member and a card of a checked form; the same form again answers the same card.

    Raises: Conflict `already_member` or `programme_closed`.
    """
    if form.person is None:
        raise AssertionError("a form with errors cannot join")
    key = form.form_key or ids.unguessable()
    scope = f"join:{programme.id}"
    earlier = idempotency.begin(session, scope, key, "form", now=now)
    if earlier is not None:
        found = cards.by_link(session, earlier.answer)
        if found is None:
            raise NotFound("unknown_card", "The card of this form is gone. Open the page again.")
        return found
    card = cards.enrol(
        session, programme, form.person, language=language, source=source, consent=form.consent, now=now,
        home_store_id=_home_store(session, programme, source), proof=f"form {key}" if form.consent else "",
    )  # fmt: skip
    idempotency.finish(session, scope, key, status=303, answer=card.link)
    return card


def join_or_recognise(world: World, programme_id: int, form: JoinForm, *, language: str, source: str) -> Joined:
    """As `join`; whoever is known by their contact gets a one-time code instead of a second card."""

    def work(session: Session) -> Joined:
        programme = session.get_one(Programme, programme_id)
        return Joined(card=join(session, programme, form, language=language, source=source, now=world.clock()))

    try:
        return world.database.transact(work)
    except Conflict as refusal:
        if refusal.code != "already_member" or form.person is None:
            raise
    return Joined(code_id=send_code(world, programme_id, form.person))


def send_code(world: World, programme_id: int, person: Person) -> str:
    """Send a one-time code to whoever has this contact; the answer is alike where nobody has it.

    The code goes to the e-mail address we know, never to one that was just typed beside a known phone number.
    """
    now = world.clock()
    with world.database.unit_of_work() as session:
        programme = session.get_one(Programme, programme_id)
        card = cards.by_contact(session, programme, person)
        card = card if card is not None and card.status == "active" else None
        code_id, code = one_time.issue(session, programme_id, card, now=now)
        if card is not None and world.settings.smtp_url:
            _mail_code(session, card, code, now=now)
    return code_id


def _mail_code(session: Session, card: Card, code: str, *, now: datetime) -> None:
    email = person_of(session, card.member).email
    if not email:
        return
    if throttle.count_failure(session, MAILS, f"card:{card.id}", now=now) >= MAILS.limit:
        return
    language, name = card.member.language, " ".join(card.programme.name.split())
    mail.enqueue(
        session,
        recipient=email,
        subject=text(language, "%(code)s is your code for %(programme)s", code=code, programme=name),
        text=text(
            language,
            "Somebody, probably you, asked for your %(programme)s card.\n\nYour code: %(code)s\n\n"
            "It is good for ten minutes. If it was not you, do nothing: without the code nobody gets your card.\n",
            programme=name,
            code=code,
        ),
        now=now,
        useful_for=timedelta(minutes=10),
    )


def redeem_code(world: World, code_id: str, code: str) -> Card:
    """The card behind a one-time code.

    Raises: Unprocessable `wrong_code`; TooManyRequests `code_used_up` after five tries or ten minutes.
    """
    now = world.clock()
    with world.database.unit_of_work() as session:
        may_try = one_time.count_try(session, code_id, now=now)
    if not may_try:
        raise TooManyRequests("code_used_up", "This code is too old or was tried too often. Ask for a new one.")
    with world.database.unit_of_work() as session:
        return one_time.redeem(session, code_id, code, now=now)


def _home_store(session: Session, programme: Programme, source: str) -> int | None:
    """The store whose poster led here."""
    if not source.startswith(POSTER):
        return None
    tag = source.removeprefix(POSTER)
    return session.scalar(select(Store.id).where(Store.programme_id == programme.id, Store.public_id == tag))


def source_of(session: Session, programme: Programme, tag: str) -> str:
    """Where the customer came from, as it is kept with the member: `poster:<store>` or `join`.

    Raises: NotFound `unknown_store`, for the code of a shop that is not in this programme.
    """
    if not tag:
        return "join"
    if len(tag) <= LONGEST_TAG and tag.isprintable():
        wanted = select(Store).where(Store.programme_id == programme.id, Store.public_id == tag)
        if session.scalars(wanted).one_or_none() is not None:
            return f"{POSTER}{tag}"
    raise NotFound("unknown_store", "This code belongs to no shop of this programme.")
