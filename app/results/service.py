"""What campaigns came to: counted by a job, read by pages and the API."""

import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from app import localtime
from app.campaigns import service as campaigns
from app.campaigns.models import Campaign, CampaignRun, Recipient
from app.cards.models import Card, Programme
from app.db import Database, insert_for
from app.errors import Unprocessable
from app.habits.models import CardDay
from app.results import counting, counts, stats, verdict
from app.results.counts import Counts
from app.results.models import CampaignResult, CampaignWorth
from app.results.verdict import Results
from app.staff import audit
from app.world import World

FEW, LOOKED_AT = 2_000, 500
WHILE_SENDING, WHILE_OPEN, NIGHTLY = timedelta(minutes=1), timedelta(minutes=5), timedelta(days=1)
PARTS_OF_REST = 30  # counting takes a thirtieth of the time at most
SETTLED_AFTER = timedelta(days=60)  # returns are rare by then
ALIVE = ("queued", "sending")
LARGEST_MINOR = 10**12
FINEST = Fraction(1, 10_000)


@dataclass(frozen=True, kw_only=True)
class WorthDraft:
    """What somebody says a campaign brings and costs, in minor units. Without a margin no money is claimed."""

    margin_minor: int | None = None
    redemption_minor: int = 0
    sending_minor: int = 0


@dataclass(frozen=True, kw_only=True)
class Visible:
    """What so many people can show: a move from `before` to `after` in the share of buyers, seen four times in five."""

    before: Fraction
    after: Fraction
    held_back: int
    treated: int


def of(session: Session, campaign: Campaign, *, now: datetime, few: int = FEW) -> Results:
    """What a campaign came to. Of few people everything is counted now; of many, who was told, and the rest is as the
    job counted it last (`counts.is_counted`: it has come to them)."""
    row = session.get(CampaignResult, campaign.id)
    kept = counts.read(row.body) if row else None
    if kept is not None and row is not None and row.final:
        found = kept
    elif _has_at_most(session, campaign, few):
        fresh = counting.count(lambda: nullcontext(session), counting.question(session, campaign), now=now)
        found = verdict.with_sample(fresh, kept)
    else:
        told = campaigns.counts(session, campaign)
        counted = kept or Counts(computed_at=now)
        found = replace(
            counted, planned=told.planned, sent=told.sent, waiting=told.waiting, reasons=told.reasons
        )  # fmt: skip
    return verdict.of(campaign, found, worth_of(session, campaign), now=now)


def wrong_splits(session: Session, *, since: datetime, programme_id: int | None = None) -> list[Campaign]:
    """Campaigns counted since then of which more or fewer people were held back than any chance explains."""
    query = (
        select(Campaign, CampaignResult.body)
        .join(CampaignResult, CampaignResult.campaign_id == Campaign.id)
        .where(CampaignResult.computed_at >= since)
        .order_by(Campaign.id.desc())
        .limit(LOOKED_AT)
    )
    if programme_id is not None:
        query = query.where(Campaign.programme_id == programme_id)
    rows = session.execute(query).all()
    return [one for one, body in rows if verdict.is_wrong(verdict.split_of(counts.read(body)))]


def of_latest(session: Session, programme_id: int, *, now: datetime) -> tuple[Campaign, Results] | None:
    """The last campaign of a programme with a result that is final, else the last with any."""
    query = (
        select(Campaign, CampaignResult)
        .join(CampaignResult, CampaignResult.campaign_id == Campaign.id)
        .where(Campaign.programme_id == programme_id)
        .order_by(Campaign.id.desc())
        .limit(20)
    )
    found = [
        (campaign, verdict.of(campaign, counts.read(row.body), worth_of(session, campaign), now=now))
        for campaign, row in session.execute(query)
    ]
    return next((one for one in found if not one[1].is_interim), found[0] if found else None)


def worth_of(session: Session, campaign: Campaign) -> CampaignWorth | None:
    """What was said of a campaign's worth."""
    return session.get(CampaignWorth, campaign.id)


def set_worth(session: Session, campaign: Campaign, draft: WorthDraft, *, by: str, now: datetime) -> CampaignWorth:
    """Say what a buyer of a campaign is worth, and what it costs; this changes no campaign, only what is claimed of it.

    Raises: Unprocessable `invalid_worth` with a sentence for each faulty field.
    """
    wrong = [
        name
        for name in ("margin_minor", "redemption_minor", "sending_minor")
        if getattr(draft, name) is not None and not 0 <= getattr(draft, name) <= LARGEST_MINOR
    ]
    if wrong:
        text = "An amount is zero or more."
        raise Unprocessable("invalid_worth", text, errors=dict.fromkeys(wrong, text))
    row = session.get(CampaignWorth, campaign.id, with_for_update=True) or CampaignWorth(campaign_id=campaign.id)
    row.margin_minor = draft.margin_minor
    row.redemption_minor, row.sending_minor = draft.redemption_minor, draft.sending_minor
    row.changed_by, row.changed_at = by, now
    session.add(row)
    session.flush()
    audit.record(
        session, actor=by, action="campaign_worth_set", subject=f"campaign:{campaign.public_id}",
        after={
            "margin_minor": draft.margin_minor, "redemption_minor": draft.redemption_minor,
            "sending_minor": draft.sending_minor,
        },
        now=now,
    )  # fmt: skip
    return row


def visible(people: int, held_bp: int, before: Fraction) -> Visible | None:
    """The least rise of a share that so many people show with 80 % power; None where no rise would be seen.

    Args:
        before: the share of those who would buy anyway, such as of the last weeks.
    """
    held_share = Fraction(held_bp, verdict.BASIS)
    low, high = before, Fraction(1)
    if people * held_share < verdict.FEWEST_IN_GROUP or not _fits(people, before, high, held_share):
        return None
    while high - low > FINEST:
        middle = (low + high) / 2
        low, high = (low, middle) if _fits(people, before, middle, held_share) else (middle, high)
    held_back = round(people * held_share)
    return Visible(before=before, after=round(high, 4), held_back=held_back, treated=people - held_back)


def hint(
    session: Session, programme: Programme, *, people: int, held_bp: int, days: int, now: datetime
) -> Visible | None:
    """What so many people will be able to show, measured by how many members bought in the last *days*: to be said
    before a campaign starts. None where nobody is held back, or nobody has bought."""
    today = localtime.wall_clock(now, programme.timezone).date()
    bought = select(func.count(CardDay.card_id.distinct())).where(
        CardDay.programme_id == programme.id, CardDay.day >= today - timedelta(days=days), CardDay.visits > 0
    )
    cards = select(func.count()).where(
        Card.programme_id == programme.id, Card.status == "active", Card.kind == "loyalty"
    )
    buyers, members = session.scalar(bought) or 0, session.scalar(cards) or 0
    if not 0 < buyers < members:
        return None
    return visible(people, held_bp, Fraction(buyers, members))


def work(world: World) -> int:
    """Count the campaigns whose turn it is; how many. Killed anywhere, the next run counts anew."""
    due = _due(world.database, world.clock())
    for campaign_id in due:
        count_now(world, campaign_id)
    return len(due)


def count_now(world: World, campaign_id: int) -> Counts:
    """Count one campaign and keep the result. The more work that is, the less often it is done."""
    database, now, began = world.database, world.clock(), time.monotonic()
    with database.reading() as session:
        campaign = session.get_one(Campaign, campaign_id)
        asked = counting.question(session, campaign)
    found = counting.count(database.reading, asked, now=now)
    rest = timedelta(seconds=(time.monotonic() - began) * PARTS_OF_REST)
    with database.unit_of_work() as session:
        row = session.get(CampaignResult, campaign_id, with_for_update=True)
        found = verdict.with_sample(found, counts.read(row.body) if row else None)
        again_in = max(_again_in(campaign, found, now), rest)
        values = {
            "computed_at": now, "again_at": now + again_in, "final": _is_settled(campaign, found, now),
            "body": counts.as_json(found),
        }  # fmt: skip
        statement = insert_for(session, CampaignResult).values(campaign_id=campaign_id, **values)
        session.execute(statement.on_conflict_do_update(index_elements=["campaign_id"], set_=values))
    return found


def _due(database: Database, now: datetime) -> list[int]:
    query = (
        select(Campaign.id)
        .outerjoin(CampaignResult, CampaignResult.campaign_id == Campaign.id)
        .where(
            Campaign.launched_at.is_not(None),
            or_(CampaignResult.campaign_id.is_(None), and_(~CampaignResult.final, CampaignResult.again_at <= now)),
        )
        .order_by(CampaignResult.again_at, Campaign.id)
    )
    with database.reading() as session:
        return list(session.scalars(query))


def _again_in(campaign: Campaign, found: Counts, now: datetime) -> timedelta:
    if found.waiting and campaign.state in ALIVE:
        return WHILE_SENDING
    return WHILE_OPEN if verdict.is_interim(campaign, found, now=now) else NIGHTLY


def _is_settled(campaign: Campaign, found: Counts, now: datetime) -> bool:
    ends_at = verdict.ends_at(campaign, found)
    if verdict.is_interim(campaign, found, now=now):
        return False
    return ends_at is None or now >= ends_at + SETTLED_AFTER


def _fits(people: int, before: Fraction, after: Fraction, held_share: Fraction) -> bool:
    size = stats.needed(before, after, held_share)
    return size is not None and size.treated + size.held_back <= people


def _has_at_most(session: Session, campaign: Campaign, most: int) -> bool:
    runs = select(CampaignRun.id).where(CampaignRun.campaign_id == campaign.id)
    some = select(Recipient.card_id).where(Recipient.run_id.in_(runs)).limit(most + 1).subquery()
    return (session.scalar(select(func.count()).select_from(some)) or 0) <= most
