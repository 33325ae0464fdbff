"""What waits for somebody's decision: approvals, budgets that are nearly spent, results that cannot be right, and runs
that missed their time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.campaigns import audience, policy
from app.campaigns import service as campaigns
from app.campaigns.models import Campaign, CampaignRun
from app.cards.models import Programme
from app.i18n import page_language
from app.marketing.campaigns import words
from app.offers import service as offers
from app.offers.models import Offer, OfferBudget, OfferBudgetUse
from app.results import service as results
from app.staff import rules
from app.staff.guards import current_staff

DRAFTS_MOST = 20
REMEMBERED = timedelta(days=14)
LATELY = timedelta(days=60)
OPEN_OFFERS = ("scheduled", "live", "paused")


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One thing to decide: what it is, what to do, and where."""

    tone: str
    title: str
    text: str
    href: str
    label: str


def waiting(session: Session, programme: Programme, *, now: datetime) -> list[Decision]:
    """All of them, what is worst first."""
    found = [
        *_splits(session, programme, now),
        *_missed(session, programme, now),
        *_budgets(session, programme),
        *_approvals(session, programme, now),
    ]
    return sorted(found, key=lambda one: ("bad", "warn", "note").index(one.tone))


def _approvals(session: Session, programme: Programme, now: datetime) -> Iterator[Decision]:
    above = policy.of(session, programme.id).approve_above
    for one in campaigns.of_programme(session, programme.id, states_in=("draft", "approved"), limit=DRAFTS_MOST):
        href = url_for("marketing_campaign.one", public_id=one.public_id)
        if one.state == "approved":
            text = gettext("It is approved and leaves once somebody schedules it.")
            yield Decision(tone="note", title=one.name, text=text, href=href, label=gettext("Schedule"))
        elif one.goal and audience.count(session, one, now=now, most=above + 1) > above:
            text = gettext("It goes to more than %(above)s people and waits for a second person’s approval.",
                           above=words.number(above))  # fmt: skip
            label = gettext("Read and approve") if _may_approve(one) else gettext("Look at the campaign")
            yield Decision(tone="warn", title=one.name, text=text, href=href, label=label)


def _may_approve(one: Campaign) -> bool:
    me = current_staff()
    return me.may(*rules.MARKETING_APPROVE) and me.actor not in {one.created_by, one.changed_by}


def _budgets(session: Session, programme: Programme) -> Iterator[Decision]:
    """Offers whose budget was used up to 80 % or more."""
    query = (
        select(Offer, OfferBudget.most, OfferBudgetUse.used)
        .join(OfferBudget, OfferBudget.offer_id == Offer.id)
        .join(OfferBudgetUse, OfferBudgetUse.budget_id == OfferBudget.id)
        .where(
            Offer.programme_id == programme.id, Offer.state.in_(OPEN_OFFERS), OfferBudgetUse.warned_at.is_not(None)
        )
        .order_by(OfferBudgetUse.warned_at.desc())
    )  # fmt: skip
    told = set()
    for offer, most, used in session.execute(query):
        if offer.id in told:
            continue
        told.add(offer.id)
        share = words.percent(min(used * 10_000 // most, 10_000))
        text = gettext("%(share)s of its budget is used.", share=share)
        if offer.state == "paused":
            text = gettext("%(share)s of its budget is used, so it is paused.", share=share)
        href = url_for("marketing_offers.offer", public_id=offer.public_id)
        title = offers.words(offer, page_language())[0]
        yield Decision(tone="warn", title=title, text=text, href=href, label=gettext("Look at the offer"))


def _splits(session: Session, programme: Programme, now: datetime) -> Iterator[Decision]:
    """Campaigns where more or fewer people were held back than any chance explains."""
    for one in results.wrong_splits(session, since=now - LATELY, programme_id=programme.id):
        text = gettext("As many people as planned were not held back, which no chance explains: its effect is "
                       "not to be believed until the reason is found.")  # fmt: skip
        href = f"/marketing/results/{one.public_id}"
        yield Decision(tone="bad", title=one.name, text=text, href=href, label=gettext("Look at the result"))


def _missed(session: Session, programme: Programme, now: datetime) -> Iterator[Decision]:
    query = (
        select(Campaign, CampaignRun.fire_at)
        .join(CampaignRun, CampaignRun.campaign_id == Campaign.id)
        .where(
            Campaign.programme_id == programme.id, CampaignRun.state == "missed", CampaignRun.fire_at > now - REMEMBERED
        )
        .order_by(CampaignRun.fire_at.desc())
        .limit(DRAFTS_MOST)
    )  # fmt: skip
    for one, at in session.execute(query):
        text = gettext("It was due on %(time)s while nothing was being sent, and was no longer worth it afterwards.",
                       time=words.moment(at, programme.timezone))  # fmt: skip
        href = url_for("marketing_campaign.one", public_id=one.public_id)
        yield Decision(tone="bad", title=one.name, text=text, href=href, label=gettext("Look at the campaign"))
