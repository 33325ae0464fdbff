"""An offer as it is asked for, and what is wrong with it: every fault beside the field that has it."""

import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import i18n, localtime
from app.cards.models import Programme, Store, Tier
from app.errors import Sentence, Unprocessable
from app.offers import hours, terms
from app.offers.models import AUDIENCES, KINDS, MEASURES, PERIODS, Offer
from app.segments.models import Segment

LONGEST_TITLE = 60
LONGEST_BODY = 500
LONGEST_WINDOW = timedelta(days=366 * 2)
LARGEST_LIMIT = 10**9
LARGEST_BUDGET = 10**12
COMBINES = ("best", "all", "alone")
MOST_GRACE_MIN = 15
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
TIMES = {"starts_at", "ends_at", "timezone"}
CODE_ALONE = (
    "A code is used apart from the purchase: let the offer take off a percentage or an amount, or give a gift, "
    "and hold for all products."
)


@dataclass(frozen=True, kw_only=True)
class BudgetDraft:
    """At most `most` of a `measure` (uses, points, or money in minor units) in a period: all, month, day, store_day."""

    measure: str
    period: str
    most: int


@dataclass(frozen=True, kw_only=True)
class OfferDraft:
    """An offer as it is asked for. `starts_at` and `ends_at` are aware; `texts` by language hold title and body.

    `tier` names one level, `tiers` row ids of several; `stores` are row ids; none means all. `terms` and `windows` are
    JSON as `offers.terms` and `earning.windows` read it. With `by_store` the times are what the clock in `timezone`
    shows then, meant by each store's own.
    """

    programme: Programme
    title: str
    body: str
    starts_at: datetime
    ends_at: datetime
    timezone: str
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    tier: Tier | None = None
    announce: bool = True
    limit_per_card: int | None = None
    limit_total: int | None = None
    kind: str = "text"
    terms: Mapping[str, Any] = field(default_factory=dict)
    windows: Sequence[Any] = ()
    by_store: bool = False
    grace_min: int = 0
    stores: Sequence[int] = ()
    tiers: Sequence[int] = ()
    audience: str = "all"
    segment_id: int | None = None
    needs_code: bool = False
    combines: str = "best"
    budgets: Sequence[BudgetDraft] = ()

    @property
    def tier_ids(self) -> list[int]:
        """All levels that it is for; none means everybody."""
        return sorted({*self.tiers, *([self.tier.id] if self.tier else [])})


@dataclass(frozen=True, kw_only=True)
class Instants:
    """What the times of a draft come to: earliest start, latest end, and the local times where each store's count."""

    starts_at: datetime
    ends_at: datetime
    starts_local: str = ""
    ends_local: str = ""


def checked(session: Session, draft: OfferDraft, *, now: datetime) -> Instants:
    """See that a draft can be an offer, and what its times come to.

    Raises: Unprocessable `invalid_offer` with a sentence for each faulty field; `unknown_segment` or `unknown_store`,
    where that is all that is wrong.
    """
    errors = _text_problems(draft)
    if draft.timezone not in zoneinfo.available_timezones():
        errors["timezone"] = "Write an IANA time zone such as Europe/Istanbul."
    errors |= _far(draft)
    instants = _as_given(draft) if errors.keys() & TIMES else _instants(session, draft)
    errors |= {} if errors.keys() & TIMES else _time_problems(session, draft, instants, now)
    errors |= dict(_place_problems(session, draft))
    errors |= dict(_limit_problems(draft))
    errors |= _terms_problems(draft)
    if errors:
        raise Unprocessable(_code(errors), " ".join(errors.values()), errors=errors)
    return instants


def _code(errors: Mapping[str, str]) -> str:
    own = {"segment": "unknown_segment", "stores": "unknown_store"}
    names = set(errors)
    return own.get(names.pop(), "invalid_offer") if len(names) == 1 else "invalid_offer"


def _as_given(draft: OfferDraft) -> Instants:
    return Instants(starts_at=draft.starts_at, ends_at=draft.ends_at)


def _instants(session: Session, draft: OfferDraft) -> Instants:
    if not draft.by_store:
        return _as_given(draft)
    starts, ends = (localtime.local_key(at, draft.timezone) for at in (draft.starts_at, draft.ends_at))
    zones = zones_of(session, draft.programme, draft.stores)
    return Instants(
        starts_at=min(localtime.instant_of(starts, zone) for zone in zones),
        ends_at=max(localtime.instant_of(ends, zone) for zone in zones),
        starts_local=starts,
        ends_local=ends,
    )


def zones_of(session: Session, programme: Programme, stores: Sequence[int]) -> list[str]:
    """The clocks that an offer goes by: those of its stores, and the programme's, for tills without a store."""
    query = select(Store.timezone).where(Store.programme_id == programme.id).distinct()
    if stores:
        query = query.where(Store.id.in_(stores))
    found = list(session.scalars(query.order_by(Store.timezone)))
    return found if stores and found else sorted({*found, programme.timezone})


def _far(draft: OfferDraft) -> dict[str, str]:
    errors: dict[str, str] = {}
    for name, at in (("starts_at", draft.starts_at), ("ends_at", draft.ends_at)):
        if not EARLIEST <= at < LATEST:
            errors[name] = "This time lies outside of the years 2000 to 2199."
    return errors


def _time_problems(session: Session, draft: OfferDraft, instants: Instants, now: datetime) -> dict[str, str]:
    errors: dict[str, str] = {}
    if draft.ends_at <= draft.starts_at:
        errors["ends_at"] = "The end comes after the start."
    elif instants.ends_at <= now:
        errors["ends_at"] = "This offer would be over already; choose an end in the future."
    elif draft.ends_at - draft.starts_at > LONGEST_WINDOW:
        errors["ends_at"] = "An offer lasts two years at most."
    if not 0 <= draft.grace_min <= MOST_GRACE_MIN:
        errors["grace_min"] = Sentence("The grace is 0 to %(most)s minutes.", most=MOST_GRACE_MIN)
    found = hours.read(draft.windows, errors)
    if "ends_at" in errors or any(name.startswith("windows") for name in errors):
        return errors
    starts, ends = (localtime.wall_clock(at, draft.timezone) for at in (draft.starts_at, draft.ends_at))
    earliest = min(localtime.wall_clock(now, zone) for zone in zones_of(session, draft.programme, draft.stores))
    return {**errors, **hours.closed(found, starts, ends, now=earliest)}


def _place_problems(session: Session, draft: OfferDraft) -> Iterator[tuple[str, str]]:
    own = draft.programme.id
    known = set(session.scalars(select(Store.id).where(Store.programme_id == own))) if draft.stores else set()
    if set(draft.stores) - known:
        yield "stores", "There is no such store in this programme."
    if set(draft.tier_ids) - {tier.id for tier in draft.programme.tiers}:
        yield "segment", "This tier belongs to another programme."
    if draft.audience not in AUDIENCES:
        yield "audience", Sentence("This is one of %(known)s.", known=", ".join(AUDIENCES))
    if (draft.audience == "segment") != (draft.segment_id is not None):
        yield "segment", "Name the segment that the offer is for."
    elif draft.segment_id is not None:
        found = session.get(Segment, draft.segment_id)
        if found is None or found.programme_id != own or found.state != "live":
            yield "segment", "There is no such segment in this programme."


def _limit_problems(draft: OfferDraft) -> Iterator[tuple[str, str]]:
    for name in ("limit_per_card", "limit_total"):
        limit = getattr(draft, name)
        if limit is not None and not 1 <= limit <= LARGEST_LIMIT:
            yield name, "A limit is a whole number above zero; leave it out for no limit."
    if draft.kind not in KINDS:
        yield "kind", Sentence("This is one of %(known)s.", known=", ".join(KINDS))
    if draft.combines not in COMBINES:
        yield "combines", Sentence("This is one of %(known)s.", known=", ".join(COMBINES))
    seen = set()
    for at, one in enumerate(draft.budgets):
        if one.measure not in MEASURES:
            yield f"budgets.{at}.measure", Sentence("This is one of %(known)s.", known=", ".join(MEASURES))
        if one.period not in PERIODS:
            yield f"budgets.{at}.period", Sentence("This is one of %(known)s.", known=", ".join(PERIODS))
        if not 1 <= one.most <= LARGEST_BUDGET:
            yield f"budgets.{at}.most", "A budget is above zero; leave it out for none."
        if (one.measure, one.period) in seen:
            yield f"budgets.{at}.period", "There is such a budget for this period already."
        seen.add((one.measure, one.period))


def _terms_problems(draft: OfferDraft) -> dict[str, str]:
    errors: dict[str, str] = {}
    if draft.kind in KINDS:
        given = terms.read(draft.kind, draft.terms, draft.programme.currency, errors)
        if draft.needs_code and not errors and given.needs_sale:
            errors["needs_code"] = CODE_ALONE
    return errors


def takes_codes(offer: Offer) -> bool:
    """Whether a code of a batch can use an offer: codes are used without a sale."""
    return not terms.of(offer.kind, offer.terms, offer.programme.currency).needs_sale


def check_codes(offer: Offer, *, field: str) -> None:
    """See that a code of a batch can use an offer.

    Raises: Unprocessable `offer_needs_sale` with the sentence for *field*.
    """
    if not takes_codes(offer):
        raise Unprocessable("offer_needs_sale", CODE_ALONE, errors={field: CODE_ALONE})


def _text_problems(draft: OfferDraft) -> dict[str, str]:
    errors = _word_problems("", draft.title, draft.body)
    if not draft.title.strip():
        errors["title"] = "An offer has a title; it is what the lock screen shows."
    for language, texts in draft.texts.items():
        if language not in i18n.LANGUAGES:
            errors[f"texts.{language}"] = f"Texts are given in {', '.join(i18n.LANGUAGES)}."
        errors.update(_word_problems(f"texts.{language}.", texts.get("title", ""), texts.get("body", "")))
    return errors


def _word_problems(where: str, title: str, body: str) -> dict[str, str]:
    errors: dict[str, str] = {}
    if len(title) > LONGEST_TITLE:
        errors[f"{where}title"] = Sentence(
            "The wallets show %(most)s characters of a title; this has %(num)s.", most=LONGEST_TITLE, num=len(title)
        )
    if len(body) > LONGEST_BODY:
        errors[f"{where}body"] = Sentence(
            "The text has at most %(most)s characters; this has %(num)s.", most=LONGEST_BODY, num=len(body)
        )
    if any(ord(c) < 32 and c != "\n" for c in title + body):
        errors[f"{where}body"] = "The text holds a character that cannot be shown; type it again."
    return errors
