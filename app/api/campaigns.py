"""Campaigns: drafted, forecast, approved, launched, paused, stopped; and who was told what, or why not."""

from datetime import datetime
from typing import Any

from sqlalchemy import select, tuple_

from app import money
from app.api import campaigns_bodies, listing, paging, shapes
from app.api import campaigns_shapes as wanted
from app.api.calls import Body, Call, Operation, unknown
from app.campaigns import forecast, service, testing
from app.campaigns.drafting import Draft
from app.campaigns.models import Campaign, CampaignRun, Recipient
from app.cards import service as cards
from app.cards.models import Card, Programme
from app.errors import AppError
from app.offers.models import Offer
from app.segments.models import Segment

DEFAULT_GOAL = {"metric": "purchase", "days": 14}
LISTING = "campaign-recipients"


def create_campaign(call: Call) -> Body:
    """Keep a campaign as a draft."""
    body = dict(call.body)
    programme = call.programme(body.pop("programme"))
    body.setdefault("goal", DEFAULT_GOAL)
    draft = campaigns_bodies.named(campaigns_bodies.changed(call, Draft(programme=programme, name=""), body))
    campaign = service.create(call.session, draft, by=call.caller.actor, now=call.now)
    call.record("campaign_created", f"campaign:{campaign.public_id}")
    return _in_full(call, campaign, draft)


def change_campaign(call: Call) -> Body:
    """Change what is sent; the rest stays. It is a draft again."""
    campaign = campaign_named(call, call.path["campaign"])
    draft = campaigns_bodies.changed(call, service.draft_of(call.session, campaign), dict(call.body))
    service.edit(call.session, campaign, draft, by=call.caller.actor, now=call.now)
    call.record("campaign_changed", f"campaign:{campaign.public_id}", revision=campaign.revision)
    return _in_full(call, campaign, draft)


def read_campaign(call: Call) -> Body:
    """One campaign."""
    return _in_full(call, campaign_named(call, call.path["campaign"]))


def list_campaigns(call: Call) -> Body:
    """The campaigns that the key may see."""
    query = select(Campaign, Programme.public_id).join(Programme, Programme.id == Campaign.programme_id)
    if call.query.get("state"):
        query = query.where(Campaign.state == call.query["state"])
    return listing.answer(call, "campaigns", query, Campaign, lambda row, owner: _shape(call, row, owner))


def approve_campaign(call: Call) -> Body:
    """Approve a campaign as a second person."""
    campaign = campaign_named(call, call.path["campaign"])
    service.approve(call.session, campaign, by=call.caller.actor, now=call.now)
    call.record("campaign_approved", f"campaign:{campaign.public_id}", people=campaign.approved_count)
    return _in_full(call, campaign)


def launch_campaign(call: Call) -> Body:
    """Let a campaign go at its time, or now."""
    campaign = campaign_named(call, call.path["campaign"])
    at_once = call.query["now"] == "true"
    service.launch(call.session, campaign, by=call.caller.actor, now=call.now, at_once=at_once)
    call.record("campaign_launched", f"campaign:{campaign.public_id}")
    return _in_full(call, campaign)


def pause_campaign(call: Call) -> Body:
    """Send nothing more for the time being."""
    campaign = campaign_named(call, call.path["campaign"])
    service.pause(call.session, campaign, by=call.caller.actor, now=call.now)
    call.record("campaign_paused", f"campaign:{campaign.public_id}")
    return _in_full(call, campaign)


def resume_campaign(call: Call) -> Body:
    """Go on after a pause."""
    campaign = campaign_named(call, call.path["campaign"])
    service.resume(call.session, campaign, by=call.caller.actor, now=call.now)
    call.record("campaign_resumed", f"campaign:{campaign.public_id}")
    return _in_full(call, campaign)


def cancel_campaign(call: Call) -> Body:
    """Tell nobody any more."""
    campaign = campaign_named(call, call.path["campaign"])
    why = call.query["reason"]
    service.stop(call.session, campaign, by=call.caller.actor, because=why, now=call.now)
    call.record("campaign_stopped", f"campaign:{campaign.public_id}", reason=why)
    return _in_full(call, campaign)


def read_forecast(call: Call) -> Body:
    """What a campaign would do if it were launched."""
    campaign = campaign_named(call, call.path["campaign"])
    found = forecast.forecast(call.session, campaign, call.settings, now=call.now)
    cost = found.most_minor
    return {
        "audience": found.audience,
        "eligible": found.eligible,
        "told": found.told,
        "held_back": found.held_back,
        "held_back_of_all": found.held_back_of_all,
        "holdout": _share(found.holdout_bp),
        "reasons": found.reasons,
        "moved": found.moved,
        "waves": [
            {"local": one.local, "first_at": shapes.moment(one.first_at), "people": one.people} for one in found.waves
        ],
        "zones": found.zones,
        "is_exact": found.is_exact,
        "apple_phones": found.apple_phones,
        "google_cards": found.google_cards,
        "apple_seconds": found.apple_seconds,
        "google_seconds": found.google_seconds,
        "most_cost": None if cost is None else money.decimal_text(cost, found.currency),
        "currency": found.currency,
    }


def test_campaign(call: Call) -> Body:
    """Show it on a staff card, marked as a test."""
    campaign = campaign_named(call, call.path["campaign"])
    card = cards.by_number(call.session, call.body["card"], programme_id=campaign.programme_id)
    if card is None:
        raise unknown("card", call.body["card"])
    testing.send(call.session, campaign, card, by=call.caller.actor, now=call.now)
    return _in_full(call, campaign)


def list_recipients(call: Call) -> Body:
    """Each card of a campaign: told, waiting, or why not."""
    campaign = campaign_named(call, call.path["campaign"])
    query = (
        select(Recipient, CampaignRun.occurrence, Card.number)
        .join(CampaignRun, CampaignRun.id == Recipient.run_id)
        .join(Card, Card.id == Recipient.card_id)
        .where(CampaignRun.campaign_id == campaign.id)
    )
    for name in ("state", "reason"):
        if call.query.get(name):
            query = query.where(getattr(Recipient, name) == call.query[name])
    listed = f"{LISTING}:{campaign.id}"
    if call.query["cursor"]:
        run_id, _, card_id = paging.place_of(call.vault, listed, call.query["cursor"]).partition(":")
        query = query.where(tuple_(Recipient.run_id, Recipient.card_id) > (int(run_id), int(card_id)))
    limit = call.query["limit"]
    found = call.session.execute(query.order_by(Recipient.run_id, Recipient.card_id).limit(limit + 1)).all()
    items, following = paging.page(
        call.vault, listed, found, limit, place=lambda row: f"{row[0].run_id}:{row[0].card_id}"
    )
    return paging.answer([_recipient(*row) for row in items], following)


def campaign_named(call: Call, name: str) -> Campaign:
    """The campaign of that id, if the key may see it.

    Raises: NotFound `unknown_campaign`.
    """
    try:
        found = service.by_id(call.session, name)
    except AppError:
        raise unknown("campaign", name) from None
    if not call.caller.sees(found.programme_id):
        raise unknown("campaign", name)
    return found


def _in_full(call: Call, campaign: Campaign, draft: Draft | None = None) -> Body:
    owner = call.session.get_one(Programme, campaign.programme_id)
    counted = service.counts(call.session, campaign)
    asked = draft or service.draft_of(call.session, campaign)
    return {
        **_shape(call, campaign, owner.public_id),
        "counts": {
            "planned": counted.planned,
            "sent": counted.sent,
            "waiting": counted.waiting,
            "suppressed": counted.reasons,
        },
        "warnings": [str(one) for one in service.warnings(asked)],
    }


def _shape(call: Call, row: Campaign, owner: str) -> Body:
    stores = shapes.store_ids(call.session, set(row.stores))
    offer = call.session.get(Offer, row.offer_id) if row.offer_id else None
    quiet = None if row.quiet_from is None else {"from": row.quiet_from, "to": row.quiet_to}
    return {
        "id": row.public_id,
        "programme": owner,
        "name": row.name,
        "kind": row.kind,
        "state": row.state,
        "segment": _segment(call, row),
        "stores": [stores[one] for one in row.stores if one in stores],
        "offer": offer.public_id if offer else None,
        "message": row.message or None,
        "send_at": row.send_local or None,
        "timezone": row.timezone,
        "timezone_mode": row.timezone_mode,
        "recurrence": row.recurrence or None,
        "trigger": row.trigger or None,
        "quiet_hours": False if quiet and row.quiet_from == row.quiet_to else quiet,
        "purpose": row.purpose,
        "topic": row.topic,
        "priority": row.priority,
        "holdout": None if row.holdout_bp is None else _share(row.holdout_bp),
        "goal": row.goal or None,
        "revision": row.revision,
        "created_at": shapes.moment(row.created_at),
        "next_at": _moment(service.next_at(call.session, row)),
        **{name: _moment(getattr(row, name)) for name in ("approved_at", "launched_at", "ended_at")},
    }


def _segment(call: Call, row: Campaign) -> str:
    if row.tier_id is not None:
        return shapes.tier_id(row.tier_id)
    return "all" if row.segment_id is None else call.session.get_one(Segment, row.segment_id).public_id


def _share(basis_points: int) -> str:
    return f"0.{basis_points:04d}".rstrip("0").rstrip(".")


def _moment(at: datetime | None) -> str | None:
    return None if at is None else shapes.moment(at)


def _recipient(row: Recipient, occurrence: str, number: str) -> Body:
    return {
        "card": number,
        "occurrence": occurrence,
        "state": row.state,
        "arm": row.arm,
        "reason": row.reason or None,
        "note": row.note or None,
        "due_at": shapes.moment(row.due_at),
        "at": _moment(row.at),
    }


def _turn(name: str, work: Any, summary: str, description: str = "", **over: Any) -> Operation:
    return Operation(
        method="POST", rule=f"/campaigns/<campaign>/{name}", name=f"{name}_campaign", summary=summary, work=work,
        description=description, tag="campaigns", scope="write", answer=wanted.CampaignInFull, refusals=(403, 409),
        **over,
    )  # fmt: skip


OPERATIONS = (
    Operation(
        method="POST",
        rule="/campaigns",
        name="create_campaign",
        summary="Draft a campaign",
        description=(
            "Nobody is told anything before it is launched. Personal fields such as {first_name|friend} and {points} "
            "stand in the words. A goal that is not named is purchase within 14 days."
        ),
        tag="campaigns",
        scope="write",
        work=create_campaign,
        body=wanted.NewCampaign,
        answer=wanted.CampaignInFull,
        status=201,
    ),
    Operation(
        method="GET",
        rule="/campaigns",
        name="list_campaigns",
        summary="List campaigns",
        tag="campaigns",
        work=list_campaigns,
        query=wanted.CampaignsAsked,
        answer=wanted.CampaignPage,
    ),
    Operation(
        method="GET",
        rule="/campaigns/<campaign>",
        name="read_campaign",
        summary="Read a campaign",
        tag="campaigns",
        work=read_campaign,
        answer=wanted.CampaignInFull,
    ),
    Operation(
        method="PATCH",
        rule="/campaigns/<campaign>",
        name="change_campaign",
        summary="Change a campaign",
        description="What is left out stays. It is a draft again, and its approval is void.",
        tag="campaigns",
        scope="write",
        work=change_campaign,
        body=wanted.CampaignChange,
        answer=wanted.CampaignInFull,
        refusals=(409,),
    ),
    _turn("approve", approve_campaign, "Approve a campaign", "Needs somebody else than who wrote it."),
    _turn(
        "launch",
        launch_campaign,
        "Launch a campaign",
        "Above the programme's number of people it must have been approved. ?now=true sends it now.",
        query=wanted.Launch,
    ),
    _turn("pause", pause_campaign, "Pause a campaign"),
    _turn("resume", resume_campaign, "Resume a paused campaign"),
    _turn(
        "cancel",
        cancel_campaign,
        "Stop a campaign",
        "Within ten seconds nobody is told any more; the answer counts who was.",
        query=wanted.Stop,
    ),
    Operation(
        method="GET",
        rule="/campaigns/<campaign>/forecast",
        name="read_forecast",
        summary="Forecast a campaign",
        description="Who would be told when, who not and why, how long it takes and what it may cost at most.",
        tag="campaigns",
        work=read_forecast,
        answer=wanted.Forecast,
    ),
    Operation(
        method="POST",
        rule="/campaigns/<campaign>/test",
        name="test_campaign",
        summary="Test a campaign on a staff card",
        tag="campaigns",
        scope="write",
        work=test_campaign,
        body=wanted.CardToTest,
        answer=wanted.CampaignInFull,
    ),
    Operation(
        method="GET",
        rule="/campaigns/<campaign>/recipients",
        name="list_recipients",
        summary="List the recipients of a campaign",
        tag="campaigns",
        work=list_recipients,
        query=wanted.RecipientsAsked,
        answer=wanted.RecipientPage,
    ),
)
