"""What a pilot is about, an offer, a campaign or a rule of earning: where it holds, and how that is changed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.campaigns import service as campaigns
from app.campaigns.models import Campaign
from app.cards.models import Programme, Store
from app.earning import service as earning
from app.earning.models import RuleVersion
from app.errors import AppError, Conflict, NotFound, Sentence
from app.offers import service as offers
from app.offers import states, widening
from app.offers.models import Offer
from app.pilots.models import Pilot

LONGEST_NAME = 100


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is tried: its name for people, and the stores (row ids) where it holds; none means all."""

    kind: str
    name: str
    stores: frozenset[int]
    offer: Offer | None = None
    campaign: Campaign | None = None
    rules: RuleVersion | None = None


def find(session: Session, programme: Programme, kind: str, subject: str) -> Subject:
    """The offer or campaign of that public id, or the rule of that name, in a programme.

    Raises: NotFound `unknown_subject`.
    """
    if kind == "rule":
        return _rule(session, programme, subject)
    try:
        found = offers.by_id(session, subject) if kind == "offer" else campaigns.by_id(session, subject)
    except AppError:
        raise _unknown(subject) from None
    if found.programme_id != programme.id:
        raise _unknown(subject)
    stores = frozenset(found.stores)
    if isinstance(found, Offer):
        return Subject(kind=kind, name=found.title, stores=stores, offer=found)
    return Subject(kind=kind, name=found.name, stores=stores, campaign=found)


def of(session: Session, pilot: Pilot) -> Subject:
    """What a pilot is about.

    Raises: NotFound `unknown_subject`, if its rule was taken out meanwhile.
    """
    return find(session, session.get_one(Programme, pilot.programme_id), pilot.kind, pilot.subject)


def widen(
    session: Session, subject: Subject, stores: Sequence[Store] | None, *, had: Collection[int], by: str, now: datetime
) -> dict[str, Any]:
    """Let it hold at these stores too, None: at all; what was done, for the pilot to remember.

    An offer and a rule hold there from the next purchase on. A campaign has told its stores: a copy of it goes to the
    others, at once or at its next date, and its offer holds there too. Where it may not go yet, `waits` is the code of
    what is missing, such as `approval_needed`, and the copy stays a draft.

    Args:
        had: the stores of the pilot.

    Raises: Conflict with the reason: `offer_over`, `rules_coming`, `nothing_to_widen`, `campaign_not_launched`.
    """
    wanted = None if stores is None else {store.id for store in stores} | set(had)
    if subject.offer is not None:
        widening.to_stores(session, subject.offer, wanted or (), now=now)
        return {}
    if subject.campaign is not None:
        return _copy(session, subject.campaign, wanted, had, by=by, now=now)
    names = _public_ids(session, wanted) if wanted is not None else []
    _publish(session, subject, lambda rule: _at(rule, names), note="widened", by=by, now=now)
    return {}


def stop(session: Session, subject: Subject, *, by: str, now: datetime) -> None:
    """End what is tried: the offer leaves the cards, the campaign tells nobody else, the rule gives nothing more.

    What is over already stays so.

    Raises: Conflict `rules_coming`.
    """
    if subject.offer is not None:
        if subject.offer.state not in widening.OVER:
            states.cancel(session, subject.offer, now=now)
    elif subject.campaign is not None:
        if subject.campaign.state not in {"sent", "stopped"}:
            campaigns.stop(session, subject.campaign, by=by, because="The pilot was stopped.", now=now)
    else:
        _publish(session, subject, lambda _rule: None, note="stopped", by=by, now=now)


def _rule(session: Session, programme: Programme, name: str) -> Subject:
    version = earning.published(session, programme)[0]
    named = [one for one in earning.raw(version)["rules"] if one.get("name", "").strip() == name]
    if not named:
        raise _unknown(name)
    public_ids = {store for rule in named for store in rule.get("when", {}).get("stores", [])}
    query = select(Store.id).where(Store.programme_id == programme.id, Store.public_id.in_(public_ids))
    everywhere = any(not rule.get("when", {}).get("stores") for rule in named)
    stores = frozenset() if everywhere else frozenset(session.scalars(query))
    return Subject(kind="rule", name=name, stores=stores, rules=version)


def _publish(session: Session, subject: Subject, change: Any, *, note: str, by: str, now: datetime) -> None:
    """Publish the rules with that of the pilot changed, or without it where the change is None."""
    version = subject.rules
    if version is None:
        raise _unknown(subject.name)
    if version.starts_at > now:
        text = "Other rules begin later; change the stores of this rule in them."
        raise Conflict("rules_coming", text)
    raw = earning.raw(version)
    changed = [change(one) if one.get("name", "").strip() == subject.name else one for one in raw["rules"]]
    programme = session.get_one(Programme, version.programme_id)
    earning.publish(
        session, programme, {**raw, "rules": [one for one in changed if one is not None]}, starts_at=None,
        note=f"Pilot {note}: {subject.name}"[: earning.NOTE_MAX], by=by, now=now, based_on=version.number,
    )  # fmt: skip


def _at(rule: dict[str, Any], stores: Sequence[str]) -> dict[str, Any]:
    when = {name: value for name, value in rule.get("when", {}).items() if name != "stores"}
    return {**rule, "when": {**when, "stores": list(stores)} if stores else when}


def _copy(
    session: Session, campaign: Campaign, wanted: Collection[int] | None, had: Collection[int], *, by: str,
    now: datetime,
) -> dict[str, Any]:  # fmt: skip
    if campaign.launched_at is None:
        text = "This campaign was not launched yet; launch it first, then widen the pilot."
        raise Conflict("campaign_not_launched", text)
    query = select(Store).where(Store.programme_id == campaign.programme_id, Store.id.not_in(had))
    if wanted is not None:
        query = query.where(Store.id.in_(wanted))
    others = tuple(session.scalars(query.order_by(Store.id)))
    if not others:
        raise Conflict("nothing_to_widen", "The campaign has gone to all of these stores already.")
    draft = campaigns.draft_of(session, campaign)
    later = draft.send_local if draft.recurrence or campaign.state == "queued" else ""
    copy = replace(draft, stores=others, name=f"{campaign.name} +"[:LONGEST_NAME], send_local=later)
    made = campaigns.create(session, copy, by=by, now=now)
    offer = _narrow_offer(session, made)
    waits = "" if offer is None else _offer_widened(session, offer, made.stores, now=now)
    widened = {} if offer is None or waits else {"offer": offer.public_id}
    return {"campaign": made.public_id, "waits": waits or _launched(session, made, by=by, now=now), **widened}


def _narrow_offer(session: Session, copy: Campaign) -> Offer | None:
    """The offer of which the copy tells, if the tills of some of its stores would refuse it."""
    if copy.offer_id is None:
        return None
    offer = session.get_one(Offer, copy.offer_id, with_for_update={"of": Offer}, populate_existing=True)
    return offer if offer.stores and not set(copy.stores) <= set(offer.stores) else None


def _offer_widened(session: Session, offer: Offer, stores: Collection[int], *, now: datetime) -> str:
    """Let the offer hold at these stores too; why it cannot, "" if it does.

    It stays so where the copy waits, because whoever launches that later does not see to the offer's stores.
    """
    try:
        widening.to_stores(session, offer, {*offer.stores, *stores}, now=now)
    except AppError as refusal:
        return refusal.code
    return ""


def _launched(session: Session, copy: Campaign, *, by: str, now: datetime) -> str:
    """Let the copy go; what has to be seen to first, "" if nothing."""
    try:
        with session.begin_nested():
            campaigns.launch(session, copy, by=by, now=now, at_once=copy.kind == "once" and not copy.send_local)
    except AppError as refusal:
        session.refresh(copy)
        return refusal.code
    return ""


def _public_ids(session: Session, stores: Collection[int]) -> list[str]:
    return list(session.scalars(select(Store.public_id).where(Store.id.in_(stores)).order_by(Store.id)))


def _unknown(name: str) -> NotFound:
    text = Sentence("There is no %(name)s to try in this programme.", name=name[:60])
    return NotFound("unknown_subject", text, errors={"subject": text})
