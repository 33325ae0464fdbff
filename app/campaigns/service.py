"""Campaigns: drafted, approved, launched, paused, stopped. `planning` and `sending` do what is launched."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import ids
from app.campaigns import approval, audience, drafting, runs, states, timing
from app.campaigns.drafting import Draft
from app.campaigns.models import Campaign, CampaignRun, Recipient
from app.cards.models import Programme, Store, Tier
from app.errors import Conflict, Forbidden, NotFound, Unprocessable
from app.offers.models import Offer
from app.segments.models import Segment

__all__ = [
    "Counts",
    "Draft",
    "approve",
    "by_id",
    "counts",
    "create",
    "draft_of",
    "edit",
    "launch",
    "move",
    "next_at",
    "of_programme",
    "pause",
    "resume",
    "runs_of",
    "stop",
    "warnings",
]  # fmt: skip

READY_OFFERS = ("scheduled", "live")
LONGEST_REASON = 200
warnings = drafting.warnings


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many people of a campaign, or of one run: planned = sent + suppressed + waiting, always."""

    planned: int = 0
    sent: int = 0
    waiting: int = 0
    reasons: dict[str, int]

    @property
    def suppressed(self) -> int:
        return sum(self.reasons.values())


def create(session: Session, draft: Draft, *, by: str, now: datetime) -> Campaign:
    """Keep a campaign as a draft; nobody is told anything before it is launched.

    Raises: Unprocessable `invalid_campaign` with a sentence for each faulty field.
    """
    drafting.check(draft)
    campaign = Campaign(
        public_id=ids.public_id("cmp"),
        programme_id=draft.programme.id,
        created_by=by,
        created_at=now,
        changed_by=by,
        changed_at=now,
        **drafting.columns(draft),
    )
    session.add(campaign)
    session.flush()
    return campaign


def edit(session: Session, campaign: Campaign, draft: Draft, *, by: str, now: datetime) -> None:
    """Replace what a campaign says. It is a draft again, its approval is void, and it leaves the calendar.

    Raises: Unprocessable `invalid_campaign`; Conflict `campaign_under_way` or `campaign_over`.
    """
    drafting.check(draft)
    states.require(states.locked(session, campaign), states.EDITABLE)
    if states.has_begun(session, campaign.id):
        raise Conflict("campaign_under_way", "This campaign is being sent; stop it first, and make another one.")
    runs.forget(session, campaign.id)
    states.turn(
        session, campaign, of=states.EDITABLE, state="draft", revision=Campaign.revision + 1, changed_by=by,
        changed_at=now, **approval.NONE, **drafting.columns(draft),
    )  # fmt: skip


def move(session: Session, campaign: Campaign, local: str, *, by: str, now: datetime) -> None:
    """Give a campaign another local date and hour. As with every edit it is a draft again, and its approval is void.

    Raises: Unprocessable `invalid_time`, or `no_time` for a triggered one; Conflict as `edit`.
    """
    text = timing.as_text(timing.read_local(local))
    states.require(states.locked(session, campaign), states.EDITABLE)
    if campaign.kind == "triggered":
        raise Unprocessable("no_time", "This campaign follows what happens; it has no time of its own.")
    if states.has_begun(session, campaign.id):
        raise Conflict("campaign_under_way", "This campaign is being sent; stop it first, and make another one.")
    runs.forget(session, campaign.id)
    states.turn(
        session, campaign, of=states.EDITABLE, state="draft", revision=Campaign.revision + 1, changed_by=by,
        changed_at=now, send_local=text, **approval.NONE,
    )  # fmt: skip


def approve(session: Session, campaign: Campaign, *, by: str, now: datetime) -> None:
    """Say as a second person that a campaign may go to its audience as it is now.

    Raises: Forbidden `own_campaign`; Unprocessable `goal_needed` or `empty_audience`; Conflict, if it is no draft.
    """
    states.require(states.locked(session, campaign), ("draft",))
    if by in {campaign.created_by, campaign.changed_by}:
        raise Forbidden("own_campaign", "You wrote this campaign; ask somebody else to approve it.")
    _require_goal(campaign)
    values = approval.given(session, campaign, by=by, now=now)
    states.turn(session, campaign, of=("draft",), state="approved", **values)


def launch(session: Session, campaign: Campaign, *, by: str, now: datetime, at_once: bool = False) -> None:
    """Let a campaign go at its time; *at_once*: now, whatever time it has.

    Raises: Unprocessable `goal_needed`, `empty_audience`, `no_time` or `in_the_past`; Conflict `approval_needed`,
        `audience_grew` (it is a draft again), `offer_not_ready`, or that it was launched already.
    """
    states.require(states.locked(session, campaign), ("draft", "approved"))
    _require_goal(campaign)
    _require_offer(session, campaign, now)
    approval.require(session, campaign, now=now)
    local = _time_to_send(session, campaign, now, at_once=at_once)
    was = campaign.state
    own_bp = audience.own_share(session, campaign, now=now)
    became = "sending" if campaign.kind == "triggered" else "queued"
    turned = states.turn(
        session, campaign, of=(was,), state=became, send_local=local, launched_by=by, launched_at=now,
        holdout_bp=own_bp, stopped_because="",
    )  # fmt: skip
    if not turned:
        raise Conflict("campaign_queued", "This campaign is scheduled already.")
    runs.keep_back(session, campaign, audience.shares(session, campaign, now=now), now=now)
    runs.schedule(session, campaign, now=now)


def pause(session: Session, campaign: Campaign, *, by: str, now: datetime) -> None:
    """Send nothing more until `resume`.

    Raises: Conflict, if it is neither scheduled nor being sent.
    """
    del by, now
    states.require(states.locked(session, campaign), states.ALIVE)
    states.turn(session, campaign, of=states.ALIVE, state="paused")


def resume(session: Session, campaign: Campaign, *, by: str, now: datetime) -> None:
    """Go on. What fell due meanwhile is sent if it is still worth it; else it is suppressed as paused.

    Raises: Conflict `campaign_not_paused`.
    """
    del by
    if states.locked(session, campaign).state != "paused":
        raise Conflict("campaign_not_paused", "This campaign is not paused; there is nothing to resume.")
    goes_on = campaign.kind == "triggered" or states.has_begun(session, campaign.id)
    states.turn(session, campaign, of=("paused",), state="sending" if goes_on else "queued", resumed_at=now)


def stop(session: Session, campaign: Campaign, *, by: str, because: str = "", now: datetime) -> Counts:
    """Tell nobody any more. Whoever was not told yet is suppressed as `stopped`, in chunks that follow.

    Returns: what was sent and what not (`waiting`) at this moment.
    Raises: Conflict `campaign_over`.
    """
    states.require(states.locked(session, campaign), ("draft", "approved", "queued", "sending", "paused"))
    states.turn(
        session, campaign, of=(campaign.state,), state="stopped", stopped_by=by,
        stopped_because=because.strip()[:LONGEST_REASON], ended_at=now,
    )  # fmt: skip
    runs.stop(session, campaign, now=now)
    return counts(session, campaign)


def by_id(session: Session, public_id: str) -> Campaign:
    """A campaign by its public id.

    Raises: NotFound `unknown_campaign`.
    """
    found = session.scalars(select(Campaign).where(Campaign.public_id == public_id)).one_or_none()
    if found is None:
        raise NotFound("unknown_campaign", "There is no such campaign.")
    return found


def of_programme(
    session: Session, programme_id: int, *, states_in: Collection[str] = (), limit: int = 200
) -> list[Campaign]:
    """A programme's campaigns, the newest first; of these states only, if any are named."""
    query = select(Campaign).where(Campaign.programme_id == programme_id)
    if states_in:
        query = query.where(Campaign.state.in_(states_in))
    return list(session.scalars(query.order_by(Campaign.id.desc()).limit(limit)))


def runs_of(session: Session, campaign: Campaign, *, limit: int = 100) -> list[CampaignRun]:
    """The runs of a campaign, the newest occurrence first."""
    query = select(CampaignRun).where(CampaignRun.campaign_id == campaign.id)
    return list(session.scalars(query.order_by(CampaignRun.fire_at.desc(), CampaignRun.id.desc()).limit(limit)))


def counts(session: Session, campaign: Campaign, run_id: int | None = None) -> Counts:
    """How many people of a campaign, or of one of its runs, are planned, were sent to, or are suppressed and why."""
    mine = select(CampaignRun.id).where(CampaignRun.campaign_id == campaign.id)
    query = select(Recipient.state, Recipient.reason, func.count()).where(
        Recipient.run_id.in_(mine) if run_id is None else Recipient.run_id == run_id
    )
    sent = waiting = 0
    reasons: dict[str, int] = {}
    for state, reason, number in session.execute(query.group_by(Recipient.state, Recipient.reason)):
        if state == "suppressed":
            reasons[reason] = number
        elif state == "sent":
            sent = number
        else:
            waiting = number
    return Counts(planned=sent + waiting + sum(reasons.values()), sent=sent, waiting=waiting, reasons=reasons)


def draft_of(session: Session, campaign: Campaign) -> Draft:
    """A campaign as a draft, to be changed and given to `edit`."""
    quiet = None if campaign.quiet_from is None else (campaign.quiet_from, campaign.quiet_to or "")
    stores = select(Store).where(Store.id.in_(campaign.stores)).order_by(Store.id)
    same = ("name", "message", "send_local", "timezone", "timezone_mode", "recurrence", "trigger", "purpose", "topic",
            "priority", "holdout_bp", "goal")  # fmt: skip
    return Draft(
        programme=programme_of(session, campaign),
        segment=session.get(Segment, campaign.segment_id) if campaign.segment_id else None,
        tier=session.get(Tier, campaign.tier_id) if campaign.tier_id else None,
        stores=tuple(session.scalars(stores)),
        offer=session.get(Offer, campaign.offer_id) if campaign.offer_id else None,
        quiet=quiet,
        **{name: getattr(campaign, name) for name in same},
    )


def next_at(session: Session, campaign: Campaign) -> datetime | None:
    """When the run that waits fires."""
    query = select(CampaignRun.fire_at).where(CampaignRun.campaign_id == campaign.id, CampaignRun.state == "waiting")
    return session.scalar(query.order_by(CampaignRun.fire_at).limit(1))


def programme_of(session: Session, campaign: Campaign) -> Programme:
    """Whose campaign it is."""
    return session.get_one(Programme, campaign.programme_id)


def _require_goal(campaign: Campaign) -> None:
    if not campaign.goal:
        text = "Name the one figure by which this campaign is judged, and for how many days."
        raise Unprocessable("goal_needed", text, errors={"goal": text})


def _require_offer(session: Session, campaign: Campaign, now: datetime) -> None:
    if campaign.offer_id is None:
        return
    offer = session.get_one(Offer, campaign.offer_id)
    if offer.state not in READY_OFFERS or offer.ends_at <= now:
        text = "Its offer is over, paused, or not scheduled yet; see to the offer first."
        raise Conflict("offer_not_ready", text, errors={"offer": text})


def _time_to_send(session: Session, campaign: Campaign, now: datetime, *, at_once: bool) -> str:
    """The local time that is meant; for `now` the present one by the campaign's clock.

    A recurrence begins with its next date; one whose dates are all over is in the past.
    """
    if campaign.kind == "triggered":
        return ""
    if campaign.kind == "once" and (at_once or campaign.send_local == timing.NOW):
        return timing.NOW
    if not campaign.send_local:
        text = "Say when it is to be sent, or send it now."
        raise Unprocessable("no_time", text, errors={"send_at": text})
    if runs.next_free(session, campaign, after=now) is None:
        text = "This time has passed; send it now, or choose a later one."
        raise Unprocessable("in_the_past", text, errors={"send_at": text})
    return campaign.send_local
