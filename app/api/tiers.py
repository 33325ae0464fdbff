"""Tiers: their thresholds and rules, who would move, and a tier given by hand."""

from dataclasses import replace
from datetime import date
from enum import Enum
from typing import Any

from app.api import shapes, tiers_shapes
from app.api.calls import Body, Call, Operation, unknown
from app.api.cards import seen
from app.cards.models import Card, Programme, Tier
from app.errors import Unprocessable
from app.tiers import changing, service
from app.tiers.changing import Moves, TierDraft
from app.tiers.rules import Drop, Metric, Policy, Window
from app.tiers.service import Granting


def read_tiers(call: Call) -> Body:
    """A programme's tiers with their members, and how they are reached, kept and lost."""
    return _tiers(call, call.programme(call.path["programme"]))


def change_tiers(call: Call) -> Body:
    """Change tiers and rules together, or say who would move."""
    programme = changing.locked(call.session, call.programme(call.path["programme"]).id)
    before = changing.policy_of(call.session, programme.id)
    policy = _policy(before, call.body["policy"])
    drafts = [_draft(programme, tier) for tier in call.body["tiers"]]
    planned = changing.plan(call.session, programme, drafts, policy)
    moves = changing.preview(call.session, programme, planned, now=call.now)
    if not call.body["dry_run"]:
        changing.save(call.session, programme, planned, now=call.now)
        told = {"tiers": [f"{tier.name} {tier.threshold}" for tier in drafts], "up": moves.up, "down": moves.down}
        call.record("tiers_changed", f"programme:{programme.public_id}", **told, **_policy_shape(policy))
    return {**_tiers(call, programme), "saved": not call.body["dry_run"], "preview": _moves(moves)}


def give_tier(call: Call) -> Body:
    """Give a card a tier by hand until a day, or take it back."""
    card = seen(call, call.path["number"])
    if call.body["tier"] is None:
        if service.take_grant_back(call.session, card, now=call.now):
            call.record("tier_grant_ended", f"card:{card.serial}")
        return _tier_of(call, card)
    tier = _tier(card.programme, call.body["tier"])
    granting = Granting(
        tier_id=tier.id, until=_until(call.body["until"]), reason=call.body["reason"], by=call.caller.actor
    )
    service.grant(call.session, card, granting, now=call.now)
    call.record(
        "tier_granted", f"card:{card.serial}", tier=tier.name, until=granting.until.isoformat(), reason=granting.reason
    )
    return _tier_of(call, card)


def read_tier(call: Call) -> Body:
    """The tier of a card: until when, what keeps it and what leads to the next."""
    return _tier_of(call, seen(call, call.path["number"]))


def _until(day: date | None) -> date:
    if day is None:
        raise Unprocessable("invalid_grant", tiers_shapes.DAY, errors={"until": tiers_shapes.DAY})
    return day


def _tier(programme: Programme, name: str) -> Tier:
    for tier in programme.tiers:
        if name in {shapes.tier_id(tier.id), tier.name}:
            return tier
    raise unknown("tier", name)


def _draft(programme: Programme, tier: Body) -> TierDraft:
    """A tier of the body; without an id it is the one of that name, or a new one."""
    ids = {shapes.tier_id(one.id): one.id for one in programme.tiers}
    names = {one.name: one.id for one in programme.tiers}
    values: dict[str, Any] = dict(tier)
    given = values.pop("id")
    chosen = names.get(values["name"].strip()) if given is None else ids.get(given, 0)  # 0 is nobody's: refused
    return TierDraft(id=chosen, **values)


def _policy(before: Policy, change: Body) -> Policy:
    kinds: dict[str, type[Enum]] = {"metric": Metric, "window": Window, "drop": Drop}
    values: dict[str, Any] = {name: kinds[name](it) if name in kinds else it for name, it in change.items()}
    return replace(before, **values)


def _policy_shape(policy: Policy) -> Body:
    return {
        "metric": policy.metric.value,
        "window": policy.window.value,
        "months": policy.months,
        "validity_months": policy.validity_months,
        "grace_days": policy.grace_days,
        "drop": policy.drop.value,
        "strict": policy.strict,
    }


def _tiers(call: Call, programme: Programme) -> Body:
    policy = changing.policy_of(call.session, programme.id)
    members = changing.members_by_tier(call.session, programme.id)
    drafts = changing.drafts_of(programme, policy)
    return {
        "programme": programme.public_id,
        "policy": _policy_shape(policy),
        "tiers": [
            {
                "id": shapes.tier_id(draft.id or 0),
                "name": draft.name,
                "threshold": draft.threshold,
                "multiplier": draft.multiplier,
                "background_color": draft.background_color,
                "texts": dict(draft.texts),
                "members": members.get(draft.id, 0),
            }
            for draft in drafts
        ],
        "recalculating": changing.is_recalculating(call.session, programme.id),
    }


def _moves(found: Moves) -> Body:
    return {
        "members": found.members,
        "up": found.up,
        "down": found.down,
        "moves": [{"from": here, "to": there, "members": count} for (here, there), count in found.moves.items()],
    }


def _tier_of(call: Call, card: Card) -> Body:
    found = service.level_of(call.session, card, now=call.now)
    told, grant = found.projection, found.grant
    metric, currency = changing.policy_of(call.session, card.programme_id).metric, card.programme.currency

    def counted(units: int | None) -> str | None:
        return None if units is None else changing.threshold_text(units, metric, currency)

    return {
        "card": card.number,
        "tier": found.tier,
        "valid_to": _day(found.valid_to),
        "grant": {"tier": grant.tier, "until": _day(grant.until), "reason": grant.reason} if grant else None,
        "counts": metric.value,
        "metric": counted(found.metric),
        "to_keep": counted(told.to_keep),
        "keep_by": _day(told.keep_by),
        "to_next": counted(told.to_next),
        "next_by": _day(told.next_by),
    }


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None


OPERATIONS = (
    Operation(
        method="GET",
        rule="/programmes/<programme>/tiers",
        name="read_tiers",
        summary="Read a programme's tiers and their rules",
        tag="tiers",
        work=read_tiers,
        answer=tiers_shapes.Tiers,
    ),
    Operation(
        method="PUT",
        rule="/programmes/<programme>/tiers",
        name="change_tiers",
        summary="Change tiers and their rules, or say who would move",
        description=(
            "Afterwards the tiers are these: one that is left out is deleted, unless members have it. Members who "
            "reach a tier go up at once; nobody goes down before their tier ends, unless the rules are strict. With "
            "dry_run nothing is saved and the answer says who would move."
        ),
        tag="tiers",
        scope="admin",
        work=change_tiers,
        body=tiers_shapes.TiersChange,
        answer=tiers_shapes.TiersChanged,
        refusals=(409,),
    ),
    Operation(
        method="GET",
        rule="/cards/<number>/tier",
        name="read_tier",
        summary="Read the tier of a card: until when, what keeps it, what leads to the next",
        description="What is counted and what is missing are money, points or visits, as `counts` says.",
        tag="tiers",
        work=read_tier,
        answer=tiers_shapes.TierOfCard,
    ),
    Operation(
        method="POST",
        rule="/cards/<number>/tier",
        name="give_tier",
        summary="Give a card a tier by hand until a day, or take it back",
        description="Evaluation does not take it before its day; then the card shows what was earned meanwhile.",
        tag="tiers",
        scope="write",
        work=give_tier,
        body=tiers_shapes.NewGrant,
        answer=tiers_shapes.TierOfCard,
        refusals=(409,),
    ),
)
