"""What campaigns came to: the groups, the effect with its limits, and what it brought."""

from datetime import UTC, datetime

from app import money
from app.api import results_shapes as wanted
from app.api import shapes
from app.api.calls import Body, Call, Operation
from app.api.campaigns import campaign_named
from app.campaigns import service as campaigns
from app.campaigns.models import Campaign
from app.results import service, sheets, stats
from app.results.counts import Arm, Counts
from app.results.service import WorthDraft
from app.results.verdict import Effect, Results

DIGITS = 6


def read_results(call: Call) -> Body:
    """What a campaign came to."""
    campaign = campaign_named(call, call.path["campaign"])
    return _body(call, campaign, service.of(call.session, campaign, now=call.now))


def read_sheet(call: Call) -> str:
    """The figures of one plot."""
    campaign = campaign_named(call, call.path["campaign"])
    return sheets.text(service.of(call.session, campaign, now=call.now), call.query["sheet"])


def set_worth(call: Call) -> Body:
    """Say what a buyer brings and what the campaign costs."""
    campaign = campaign_named(call, call.path["campaign"])
    currency = campaigns.programme_of(call.session, campaign).currency
    amounts = {
        name: None if text is None else money.minor_units(text, currency, field=name)
        for name, text in call.body.items()
    }
    draft = WorthDraft(
        margin_minor=amounts["margin"],
        redemption_minor=amounts["redemption_cost"] or 0,
        sending_minor=amounts["sending_cost"] or 0,
    )
    service.set_worth(call.session, campaign, draft, by=call.caller.actor, now=call.now)
    return _body(call, campaign, service.of(call.session, campaign, now=call.now))


def _body(call: Call, campaign: Campaign, found: Results) -> Body:
    currency = campaigns.programme_of(call.session, campaign).currency
    counts, split = found.counts, found.split
    return {
        "campaign": campaign.public_id,
        "computed_at": shapes.moment(counts.computed_at),
        "ends_at": shapes.moment(found.ends_at) if found.ends_at else None,
        "interim": found.is_interim,
        "days": found.days,
        "counts": {
            "planned": counts.planned, "sent": counts.sent, "waiting": counts.waiting,
            "suppressed": dict(counts.reasons), "notes": dict(counts.notes),
        },
        "delivery": {
            "accepted": counts.accepted, "apple": counts.apple, "google": counts.google, "fetched": counts.fetched,
            "shown": None,
        },
        "groups": {
            "treated": _group(counts.treated, currency),
            "held_back": _group(counts.held_back, currency),
            "held_back_of_everything": _group(counts.apart, currency),
        },
        "effect": _effect(found.effect),
        "buyers": _effect(found.buyers),
        "split": None if split is None else {
            "chi_square": round(split.statistic, DIGITS), "p": split.p, "alarm": found.split_alarm,
        },
        "money": _money(found, currency),
        "redeemed_by_day": dict(counts.redeemed_by_day),
        "course": _course(counts),
    }  # fmt: skip


def _group(arm: Arm, currency: str) -> Body:
    return {
        "people": arm.people,
        "buyers": arm.buyers,
        "purchases": arm.visits,
        "spend": money.decimal_text(arm.spend_minor, currency),
        "redeemers": arm.redeemers,
        "uses": arm.uses,
        "cost": money.decimal_text(arm.cost_minor, currency),
    }


def _effect(effect: Effect) -> Body:
    return {
        "metric": effect.metric,
        "verdict": effect.says.value,
        "treated": _rounded(effect.treated),
        "held_back": _rounded(effect.held_back),
        "difference": _estimate(effect.by),
        "relative_lift": _estimate(effect.lift),
        "incremental": _estimate(effect.total),
        "p": effect.score.p if effect.score else None,
    }


def _estimate(found: stats.Estimate | None) -> Body | None:
    if found is None:
        return None
    return {name: round(getattr(found, name), DIGITS) for name in ("value", "low", "high")}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


def _money(found: Results, currency: str) -> Body:
    worth, net = found.worth, found.net

    def text(minor: int | None) -> str | None:
        return None if minor is None else money.decimal_text(minor, currency)

    return {
        "currency": currency,
        "margin": text(worth.margin_minor if worth else None),
        "redemption_cost": text(worth.redemption_minor if worth else None),
        "sending_cost": text(worth.sending_minor if worth else None),
        "cost": text(found.cost_minor),
        "net": None if net is None else {name: text(getattr(net, name)) for name in ("value", "low", "high")},
    }


def _course(counts: Counts) -> list[Body]:
    return [
        {
            "at": shapes.moment(datetime.fromtimestamp(one.at / 1000, UTC)), "sent": one.sent,
            "accepted": one.accepted, "fetched": one.fetched, "redeemed": one.redeemed,
        }
        for one in counts.course
    ]  # fmt: skip


_ABOUT = (
    "Everybody who was assigned counts, told or not, from their own instant for the days of the goal; purchases are "
    "net of returns, and cards that were joined are one person. The verdict is inconclusive while the limits have zero "
    "between them, and no_comparison where there is nobody to compare with, or too few people."
)
OPERATIONS = (
    Operation(
        method="GET",
        rule="/campaigns/<campaign>/results",
        name="read_campaign_results",
        summary="Read what a campaign came to",
        description=_ABOUT,
        tag="campaigns",
        work=read_results,
        answer=wanted.CampaignResults,
        refusals=(409,),
    ),
    Operation(
        method="GET",
        rule="/campaigns/<campaign>/results/csv",
        name="read_campaign_results_as_csv",
        summary="Read what a campaign came to as CSV",
        description=_ABOUT,
        tag="campaigns",
        work=read_sheet,
        query=wanted.SheetAsked,
        media="text/csv",
        refusals=(409,),
    ),
    Operation(
        method="PUT",
        rule="/campaigns/<campaign>/worth",
        name="set_campaign_worth",
        summary="Say what a buyer of a campaign is worth",
        description="Changes no campaign, only what is claimed of it.",
        tag="campaigns",
        scope="write",
        work=set_worth,
        body=wanted.WorthOfCampaign,
        answer=wanted.CampaignResults,
        refusals=(409,),
    ),
)
