"""The screen that answers a request: the card, the return, the question and the result that it asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from babel.numbers import get_decimal_symbol
from sqlalchemy.orm import Session

from app import money
from app.cards.models import Card
from app.errors import AppError
from app.till import entries, finding, returning
from app.till.desk import Desk
from app.till.goods import page
from app.till.people import tiles
from app.till.people.approvals import Sent
from app.till.refusals import Refusals
from app.till.returning import ReturnForm, Returning
from app.till.screen import Question, Screen, customer_of
from app.till.words import sentence


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What one request adds to the screen. `returning`: the sale to return, empty to ask for its receipt.

    `approval`: the form that needs a manager's word. `told`: a sentence about what was done without any entry; `code`:
    a unique code that waits for a card.
    """

    serial: str | None = None
    done: str | None = None
    refusal: AppError | None = None
    question: Question | None = None
    returning: str | None = None
    chosen: ReturnForm | None = None
    approval: Sent | None = None
    told: str = ""
    code: str = ""
    typed: Mapping[str, str] = field(default_factory=dict)


def draw(
    session: Session, desk: Desk, asked: Asked, *, can_move: bool, language: str, now: datetime
) -> tuple[Screen, AppError | None]:
    """The screen, and the refusal that it shows: a card or a sale that cannot be opened adds its own."""
    card, returned, refusal = _opened(session, desk, asked, language)
    currency = desk.programme.currency
    refusals = Refusals(session, desk, language=language, now=now)
    typed = asked.typed if refusal or asked.question or returned else {}
    customer = None
    if card and returned is None:
        customer = customer_of(session, desk, card, language=language, now=now, typed=typed)
    drawn = Screen(
        desk=desk,
        can_move=can_move,
        serial=card.serial if card else "",
        done=asked.done or "",
        example=money.example_in(currency, language),
        decimal_mark=get_decimal_symbol(language),
        customer=customer,
        returning=returned,
        result=entries.result_of(session, desk, asked.done, language=language, now=now) if asked.done else None,
        last=entries.last_actions(session, desk, language=language, now=now),
        question=asked.question,
        told=asked.told,
        code=page.waiting_code(session, desk, asked.code, language=language, now=now) if asked.code else None,
        approval=tiles.wanted(session, desk, asked.approval) if asked.approval else None,
        refusal=refusals.of_problem(refusal, card, asked.typed) if refusal else "",
        errors={name: sentence(refusal, currency) for name in refusal.errors} if refusal else {},
        typed=typed,
    )
    return drawn, refusal


def _opened(
    session: Session, desk: Desk, asked: Asked, language: str
) -> tuple[Card | None, Returning | None, AppError | None]:
    card, returned, refusal = None, None, asked.refusal
    try:
        card = finding.card_at(session, desk, asked.serial) if asked.serial else None
        if asked.returning is not None:
            returned = _returning(session, desk, asked, language)
    except AppError as problem:
        refusal = refusal or problem
        returned = Returning(serial=asked.serial or "") if asked.returning is not None else None
    return card, returned, refusal


def _returning(session: Session, desk: Desk, asked: Asked, language: str) -> Returning:
    if not asked.returning:
        return Returning(serial=asked.serial or "")
    entry = finding.entry_at(session, desk, asked.returning)
    try:
        return returning.opened(session, entry, asked.chosen, language=language)
    except AppError:
        if asked.refusal is None:
            raise
        return returning.opened(session, entry, None, language=language)
