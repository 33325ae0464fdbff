"""A sale: what it earns, and booking it. Quoting and booking share one path, so that nobody is promised something else.

One sale is one entry of points; what it moves in other units besides are entries that are part of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app import localtime
from app.cards.models import Card
from app.counter import bargains, lasting, moves, offering, pricing, stamping
from app.counter.buyers import buyer
from app.counter.moves import Actor, Done, Shop
from app.counter.pricing import Priced, Sale
from app.earning import budgets, engine, expiring
from app.earning.engine import BonusQuote, LineQuote, Quote
from app.earning.sale import Basket, Line
from app.errors import Conflict, Unprocessable
from app.fraud import service as fraud
from app.ledger import service as ledger
from app.ledger.booking import Booked, Circumstance
from app.ledger.held import Held
from app.ledger.service import Earning
from app.tiers import service as tiers
from app.value import bearer

ATTEMPTS_AT_BUDGET = 5


@dataclass(frozen=True, kw_only=True)
class Sold(Done):
    """A sale as it was booked, and how the rules saw it. `warnings` are codes for the cashier: soon_again."""

    priced: Priced
    warnings: tuple[str, ...] = ()


def quote(session: Session, card: Card | Held, sale: Sale, *, now: datetime) -> Priced:
    """What this sale would earn if it were booked now; nothing is written.

    Raises: as `earn`.
    """
    card = _checked(session, card, sale)
    return pricing.priced(session, card, sale, now=now)


def earn(session: Session, card: Card | Held, sale: Sale, *, by: Actor, now: datetime) -> Sold:
    """Give the points of a sale.

    Raises: Conflict `card_not_active`, `gift_card`, `duplicate_receipt` or `limit_reached`; Forbidden `own_card`;
    Unprocessable `currency_mismatch`, `invalid_amount`, `lines_do_not_sum`, `unknown_offer` or `wrong_store`; Conflict
    with the reason of an offer that cannot be used: then nothing is booked.
    """
    card = _checked(session, card, sale)
    seen = moves.happening(card, sale.store, by, now)
    warnings = fraud.check_sale(session, card, seen)
    priced = _reserved(session, card, sale, now)
    claims = bargains.reserve(session, card, priced.bargains, sale.store, now)
    told = moves.circumstance(
        card, by, now, store=sale.store, receipt=sale.receipt, occurred_at=priced.occurred_at, note=sale.note,
        reasons=priced.reasons,
    )  # fmt: skip
    booked = ledger.earn(session, card, _earning(card, sale, priced), by=told)
    budgets.note(session, booked.entry.id, priced.quote.budgets, priced.quote.points)
    bearer.note(session, card, booked.entry.id, priced.quote.discount_minor, priced.occurred_at)
    after, used = offering.with_sale(session, booked, claims, told)
    after = _with_parts(session, replace(booked, card=after), priced, told)
    paid_minor = booked.entry.amount_minor or 0
    after = tiers.after_sale(
        session,
        after,
        spend_minor=paid_minor,
        earned=priced.quote.base_points,
        visits=1,
        at=priced.occurred_at,
        now=now,
    )
    after = replace(after, spent_minor=after.spent_minor + paid_minor)
    lasting.keep_alive(session, after, priced.version.rules.expiry, priced.occurred_at, card.timezone)
    fraud.count_sale(session, card, seen, priced.quote.points)
    done = moves.done(session, after, booked, now)
    offering.tell(session, done.card, used, now)
    return Sold(**vars(done), priced=priced, warnings=warnings)


def event(
    session: Session,
    card: Card | Held,
    name: str,
    *,
    by: Actor,
    now: datetime,
    store: Shop | None = None,
    receipt: str | None = None,
) -> Done:
    """Give the points of something that is no purchase, such as a review. `receipt` is its own number: it earns once.

    Raises: Conflict `card_not_active` or `duplicate_receipt`; Forbidden `own_card`; Unprocessable `unknown_event`, if
    no rule gives anything.
    """
    card = moves.usable(session, card, store)
    fraud.check_own(session, card, moves.happening(card, store, by, now))
    version = pricing.version_for(session, card, now)
    place = pricing.place_of(card, store, now)
    points, reasons = engine.event(version.rules, name, buyer(session, card, version, place), place)
    if not reasons:
        text = "No rule gives points for this now."
        raise Unprocessable("unknown_event", text, errors={"event": text})
    told = moves.circumstance(card, by, now, store=store, receipt=receipt, note=f"event:{name}", reasons=reasons)
    earning = Earning(
        points=points,
        rule_version_id=version.id,
        expires_at=expiring.expires_at(version.rules.expiry, now, card.timezone),
    )
    booked = ledger.earn(session, card, earning, by=told)
    return moves.done(session, booked.card, booked, now)


def _checked(session: Session, card: Card | Held, sale: Sale) -> Held:
    card = moves.usable(session, card, sale.store)
    if card.kind == "gift":
        raise Conflict("gift_card", "A gift card pays and earns nothing; scan the customer's own card for that.")
    pricing.checked(sale, card.programme_id, card.currency)
    return card


def _reserved(session: Session, card: Held, sale: Sale, now: datetime) -> Priced:
    """The sale with its share of every budget taken. Whoever loses the last points to another till is quoted anew."""
    for _attempt in range(ATTEMPTS_AT_BUDGET):
        priced = pricing.priced(session, card, sale, now=now)
        caps, points = priced.quote.budgets, priced.quote.points
        if not points or budgets.reserve(session, card.programme_id, caps, points):
            return priced
    raise Conflict("busy", "Others take from the same budget at this moment. Send this again.")


def _earning(card: Held, sale: Sale, priced: Priced) -> Earning:
    rules, found = priced.version.rules, priced.quote
    pending = timedelta(days=rules.pending_days)
    return Earning(
        points=found.points,
        amount_minor=priced.paid_minor,
        currency=sale.currency,
        lines=_lines_of(priced.basket.lines, found, found.lines),
        rule_version_id=priced.version.id,
        carry_before=str(found.carry_before) if rules.carry else None,
        carry_after=str(found.carry_after) if rules.carry else None,
        pending_until=priced.occurred_at + pending if pending else None,
        expires_at=expiring.expires_at(rules.expiry, priced.occurred_at, card.timezone),
    )


def _lines_of(
    lines: Sequence[Line], found: Quote, given: Sequence[LineQuote]
) -> list[tuple[int, str, str, int, int, int]]:
    """The receipt as it is kept: each line at the price that was paid for it, with what it was *given*."""
    return [
        (line.number, line.product, line.category, line.quantity, line.paid_minor - priced.discount_minor, units.points)
        for line, priced, units in zip(lines, found.lines, given, strict=True)
    ]


def _with_parts(session: Session, booked: Booked, priced: Priced, told: Circumstance) -> Held:
    """The card after what the sale gives besides points."""
    card = booked.card
    part = replace(told.part_of(booked.entry.id), receipt=None, reasons=())
    for bonus in priced.quote.bonuses:
        facts: dict[str, Any] = {
            "lines": _lines_of(priced.basket.lines, priced.quote, bonus.lines),
            "amount_minor": booked.entry.amount_minor,  # a return takes this back in the measure of the sale
            "currency": card.currency,
        }
        card = ledger.credit(
            session, card, bonus.amount_minor, by=replace(part, note=bonus.name), unit=f"bonus:{card.currency}",
            kind="earn", source="issue", expires_at=_end_of(bonus, priced.occurred_at, card.timezone), **facts,
        ).card  # fmt: skip
    stamps = stamping.for_sale(session, card, _as_paid(priced), by=told.part_of(booked.entry.id))
    return stamps[-1].card if stamps else card


def _as_paid(priced: Priced) -> Basket:
    """The basket after what offers and rules take off."""
    basket = priced.basket
    lines = tuple(
        replace(line, discount_minor=line.discount_minor + quoted.discount_minor)
        for line, quoted in zip(basket.lines, priced.quote.lines, strict=True)
    ) if basket.lines else ()  # fmt: skip
    return replace(basket, amount_minor=priced.paid_minor, lines=lines)


def _end_of(bonus: BonusQuote, occurred_at: datetime, zone: str) -> datetime | None:
    if bonus.expires_days is None:
        return None
    last_on = localtime.wall_clock(occurred_at, zone).date() + timedelta(days=bonus.expires_days)
    return localtime.end_of_day(last_on, zone)
