"""What an offer may say over the API, and how it is answered."""

from typing import Any

from marshmallow import Schema, fields, validate

from app.api import outgoing
from app.api.fields import Moment, Text, Whole, YesNo, optional
from app.api.incoming import SPOKEN, OfferTexts, Page, Strict, told
from app.api.incoming import NewOffer as ScheduledOffer
from app.api.outgoing import moment, money, one_of, pages_of, text, whole
from app.ledger.booking import LARGEST_POINTS
from app.offers.drafts import COMBINES, LONGEST_BODY, LONGEST_TITLE, MOST_GRACE_MIN
from app.offers.models import KINDS, MEASURES, PERIODS, STATES

BUDGETS_MAX = len(MEASURES) * len(PERIODS)
STORES_MAX = 1000
KIND = validate.OneOf(KINDS, error=f"An offer is one of {', '.join(KINDS)}.")
COMBINED = validate.OneOf(COMBINES, error=f"This is one of {', '.join(COMBINES)}.")
TERMS = (
    "What it gives. percent: {percent, at_most}; amount: {amount, at_most}; product: {percent, pieces, at_most}; "
    "multiplier: {factor}; bonus: {points}; gift: {gift, cost}; text: {cost}. All may have minimum, products and "
    "categories. Money and shares are decimal strings"
)
WINDOWS = (
    "Weekly hours by the store's clock: {weekdays (1 is Monday), from, to, first_on, last_on}; always unless given"
)
COMBINATION = "best: the best single one of a purchase; all: with any other; alone: with no other"


class BudgetOfOffer(Strict):
    measure = Text(
        longest=10, required=True, validate=[validate.OneOf(MEASURES, error=f"One of {', '.join(MEASURES)}.")]
    )
    period = Text(
        longest=10, load_default="all", validate=[validate.OneOf(PERIODS, error=f"One of {', '.join(PERIODS)}.")],
        metadata=told("store_day: for each store and day, by its clock"),
    )  # fmt: skip
    most = Text(
        shortest=1, longest=20, required=True,
        metadata=told("Uses or points as a whole number, money as a decimal string", example="50000.00"),
    )  # fmt: skip


class NewOffer(ScheduledOffer):
    segment = Text(
        shortest=1,
        longest=80,
        load_default="all",
        metadata=told('"all"; the id of a segment; the id or name of a tier; or "targeted": whom a campaign gives it'),
    )
    draft = YesNo(load_default=False, metadata=told("Keep it as a draft, to be approved and scheduled later"))
    kind = Text(longest=20, validate=[KIND], load_default="text")
    terms = fields.Dict(load_default=dict, metadata=told(TERMS))
    windows = fields.List(fields.Dict(), load_default=list, metadata=told(WINDOWS))
    by_store = YesNo(load_default=False, metadata=told("The times are meant by each store's own clock"))
    grace_min = Whole(least=0, most=MOST_GRACE_MIN, load_default=0, metadata=told("So many minutes later it is taken"))
    stores = fields.List(
        Text(shortest=1, longest=80), load_default=list, validate=[validate.Length(max=STORES_MAX)],
        metadata=told("Ids; all unless given"),
    )  # fmt: skip
    tiers = fields.List(
        Text(shortest=1, longest=80), load_default=list, validate=[validate.Length(max=50)],
        metadata=told("Ids or names of several tiers; all unless given"),
    )  # fmt: skip
    needs_code = YesNo(load_default=False, metadata=told("Used only with a code of a batch that gives this offer"))
    combines = Text(longest=10, validate=[COMBINED], load_default="best", metadata=told(COMBINATION))
    budgets = fields.List(
        fields.Nested(BudgetOfOffer), load_default=list, validate=[validate.Length(max=BUDGETS_MAX)],
        metadata=told("The most that it may use, give or cost, in all and by period"),
    )  # fmt: skip


class OfferChange(Strict):
    """What is left out stays as it is."""

    title = Text(shortest=1, longest=LONGEST_TITLE)
    body = Text(longest=LONGEST_BODY, lines=True)
    texts = fields.Dict(keys=Text(longest=5, validate=[SPOKEN]), values=fields.Nested(OfferTexts))
    starts_at = Moment()
    ends_at = Moment()
    timezone = Text(longest=64)
    segment = Text(shortest=1, longest=80)
    limit_per_card = optional(Whole(least=1, most=LARGEST_POINTS))
    limit_total = optional(Whole(least=1, most=LARGEST_POINTS))
    announce = YesNo()
    kind = Text(longest=20, validate=[KIND])
    terms = fields.Dict(metadata=told(TERMS))
    windows = fields.List(fields.Dict(), metadata=told(WINDOWS))
    by_store = YesNo()
    grace_min = Whole(least=0, most=MOST_GRACE_MIN)
    stores = fields.List(Text(shortest=1, longest=80), validate=[validate.Length(max=STORES_MAX)])
    tiers = fields.List(Text(shortest=1, longest=80), validate=[validate.Length(max=50)])
    needs_code = YesNo()
    combines = Text(longest=10, validate=[COMBINED], metadata=told(COMBINATION))
    budgets = fields.List(fields.Nested(BudgetOfOffer), validate=[validate.Length(max=BUDGETS_MAX)])


class UsesPage(Page):
    """Which page of the uses."""


def _objects(description: str) -> fields.Field[Any]:
    return fields.List(fields.Dict(), required=True, metadata={"description": description})


class Offer(outgoing.Offer):
    segment = text(description='"all", "targeted", the id of a segment, or of the one tier it is for')
    state = one_of(*STATES)
    kind = one_of(*KINDS)
    terms = fields.Dict(required=True, metadata={"description": TERMS})
    windows = _objects(WINDOWS)
    by_store = fields.Boolean(required=True)
    grace_min = whole()
    stores = fields.List(fields.String(), required=True)
    tiers = fields.List(fields.String(), required=True)
    needs_code = fields.Boolean(required=True)
    combines = one_of(*COMBINES)
    revision = whole()
    paused_because = text(description='Why it is paused: "budget", or "staff"; else empty')


class BudgetNow(Schema):
    """A budget as it stands in the period that runs now, by the programme's clock; a day of a store is not told."""

    measure = one_of(*MEASURES)
    period = one_of(*PERIODS)
    most = text()
    used = text()
    percent = whole()


class OfferForecast(Schema):
    """The most that it can come to; null where only what people buy decides.

    `people`: of a segment, who is in it now; of a targeted offer, everybody to whom a campaign can give it.
    """

    people = whole()
    uses = whole(null=True)
    points = whole(null=True)
    money = money(null=True)


class OfferInFull(Offer):
    reach = fields.Nested(outgoing.Reach, required=True)
    change = optional(fields.Nested(outgoing.BulkChange, required=True))
    budgets = fields.List(fields.Nested(BudgetNow), required=True)
    forecast = fields.Nested(OfferForecast, required=True)


class OfferUse(Schema):
    transaction = text()
    sale = text(null=True, description="The purchase that it came with")
    card = text(description="The card's number")
    store = text(null=True)
    at = moment()
    taken_back_at = moment(null=True)
    discount = money()
    points = whole()


OfferPage = pages_of(Offer)
OfferUsePage = pages_of(OfferUse)
