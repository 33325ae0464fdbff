"""A draft tried out from its page: on receipts in a file, or on the programme's own sales."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from sqlalchemy.orm import Session

from app import money
from app.admin.texts import gettext
from app.cards.models import Programme
from app.earning import receipts, simulation
from app.earning.receipts import Fault, Known, Read
from app.earning.rules import RuleSet
from app.earning.sentences import decimal
from app.earning.simulation import Outcome, Simulated
from app.earning.words import number
from app.errors import Unprocessable
from app.i18n import page_language, translate
from app.ledger import past_sales

DAYS_MAX = 400
FAULTS_SHOWN = 50


@dataclass(frozen=True, kw_only=True)
class Column:
    """One set of rules in figures, as people read them."""

    points: str
    sales: str
    discounts: str
    later: str
    cost: str
    give_back: str


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a trial says, ready to print."""

    receipts: int
    spend: str
    draft: Column
    current: Column
    difference: str
    shares: tuple[tuple[str, str, str], ...]
    unjudged: tuple[str, ...]
    faults: tuple[tuple[int, str], ...]
    unread: int


def run(
    session: Session,
    programme: Programme,
    draft: RuleSet,
    current: RuleSet,
    *,
    known: Known,
    content: bytes,
    form: Mapping[str, str],
    now: datetime,
) -> Trial:
    """Try a draft out beside the rules that hold.

    Raises: Unprocessable `invalid_trial`, `invalid_receipts` or `too_many_receipts`.
    """
    value = _point_value(form.get("point_value", ""), programme.currency)
    if content:
        read = _read(content, known)
        sales = iter(sorted(read.receipts, key=lambda one: one.at))
        session.commit()  # a long trial of a file keeps no connection waiting
    else:
        read, since = Read(), now - timedelta(days=_days(form.get("days", "")))
        past_sales.check_count(session, programme, since)
        sales = past_sales.since(session, programme, since, known)
    found = simulation.simulate(sales, draft, current, zone=programme.timezone, point_value=value)
    return _told(found, read.faults, programme.currency)


def _read(content: bytes, known: Known) -> Read:
    try:
        return receipts.from_csv(content.decode("utf-8-sig"), known)
    except UnicodeDecodeError:
        text = gettext("Save the file as CSV in UTF-8, then choose it again.")
        raise Unprocessable("invalid_trial", text, errors={"receipts": text}) from None


def _days(text: str) -> int:
    plain = text.strip()
    if plain.isascii() and plain.isdigit() and len(plain) < 4 and 0 < int(plain) <= DAYS_MAX:
        return int(plain)
    advice = gettext("Choose a file, or write a number of days from 1 to %(most)s.", most=DAYS_MAX)
    raise Unprocessable("invalid_trial", advice, errors={"days": advice})


def _point_value(text: str, currency: str) -> Fraction | None:
    plain = text.strip().replace(",", ".")
    if not plain:
        return None
    try:
        return simulation.point_value_of(plain, money.exponent(currency))
    except ValueError:
        advice = gettext("Write what a point is worth as an amount above zero, such as 0.10.")
        raise Unprocessable("invalid_trial", advice, errors={"point_value": advice}) from None


def _told(found: Simulated, faults: list[Fault], currency: str) -> Trial:
    language = page_language()
    more = found.draft.points - found.current.points
    return Trial(
        receipts=found.receipts,
        spend=money.shown(found.spend_minor, currency, language),
        draft=_column(found.draft, currency, language),
        current=_column(found.current, currency, language),
        difference=_signed(more, language),
        shares=tuple(
            (one.name, _signed(one.points, language), number(one.sales, language)) for one in found.draft.shares
        ),
        unjudged=found.unjudged,
        faults=tuple((fault.row, translate(fault.text)) for fault in faults[:FAULTS_SHOWN]),
        unread=len(faults),
    )


def _column(found: Outcome, currency: str, language: str) -> Column:
    return Column(
        points=number(found.points, language),
        sales=number(found.earning_sales, language),
        discounts=money.shown(found.discount_minor, currency, language),
        later=money.shown(found.bonus_minor, currency, language),
        cost="–" if found.cost_minor is None else money.shown(found.cost_minor, currency, language),
        give_back="–" if found.give_back is None else f"{number(_two(found.give_back * 100), language)} %",
    )


def _two(value: Fraction) -> str:
    return decimal(Fraction(round(value * 100), 100))


def _signed(points: int, language: str) -> str:
    return f"{'+' if points > 0 else '−' if points < 0 else ''}{number(abs(points), language)}"
