"""Changing a programme's tiers and their rules, and saying beforehand who would move."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

from sqlalchemy import String, cast, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import money
from app.cards import programmes
from app.cards.design import HEX
from app.cards.models import Card, Programme, Tier
from app.cards.texts import is_showable
from app.db import insert_for
from app.errors import AppError, Conflict, Sentence, Unprocessable
from app.ledger.held import HeldTier
from app.tiers import looking_ahead, standings
from app.tiers.ladder import Ladder
from app.tiers.models import CardStanding, TierPolicy
from app.tiers.rules import Metric, Policy

TIERS_MAX = 20
MONTHS_MAX = 60
GRACE_MAX = 366
NAME_CHARACTERS = 40


@dataclass(frozen=True, kw_only=True)
class TierDraft:
    """A tier as it is to be; `id` None: a new one. `threshold`: a decimal string of money, or a whole number of points
    or visits, as the policy counts; `multiplier` of points, such as "1.5"."""

    id: int | None = None
    name: str
    threshold: str
    multiplier: str = "1"
    background_color: str | None = None
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Moves:
    """Who changes tiers: how many members from one name to another; None is no tier at all."""

    members: int
    moves: Mapping[tuple[str | None, str | None], int]
    up: int
    down: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Tiers and policy that were found to be right, as a ladder; ids below zero are new tiers."""

    drafts: tuple[TierDraft, ...]
    ladder: Ladder


def locked(session: Session, programme_id: int) -> Programme:
    """The programme with its tiers as they are now, held until the transaction ends: one change of tiers at a time."""
    query = select(Programme).where(Programme.id == programme_id).with_for_update(of=Programme)
    found = session.scalars(query.execution_options(populate_existing=True)).one()
    session.refresh(found, ["tiers"])
    return found


def policy_of(session: Session, programme_id: int) -> Policy:
    """How tiers are reached, kept and lost; the default where nobody has changed it."""
    return standings.ladder_of(session, programme_id).policy


def drafts_of(programme: Programme, policy: Policy) -> list[TierDraft]:
    """A programme's tiers as they are, in the form in which they are changed."""
    return [
        TierDraft(
            id=tier.id,
            name=tier.name,
            threshold=threshold_text(tier.threshold_minor, policy.metric, programme.currency),
            multiplier=multiplier_text(tier.multiplier_num, tier.multiplier_den),
            background_color=tier.background_color,
            texts=tier.texts,
        )
        for tier in programme.tiers
    ]


def threshold_text(threshold: int, metric: Metric, currency: str) -> str:
    """A threshold as a decimal string of money, or a whole number."""
    return money.decimal_text(threshold, currency) if metric is Metric.SPEND else str(threshold)


def multiplier_text(num: int, den: int) -> str:
    """A factor as a decimal string, such as "1.5"."""
    hundredths = num * 100 // den
    return f"{hundredths // 100}.{hundredths % 100:02d}".rstrip("0").rstrip(".")


def plan(session: Session, programme: Programme, drafts: Sequence[TierDraft], policy: Policy) -> Plan:
    """Judge tiers and policy together, without changing anything.

    Raises: Unprocessable `invalid_tiers` with a sentence for each faulty field; Conflict `tier_in_use` with the number
        of members who have a tier that would be deleted.
    """
    errors = _faults_of(policy)
    tiers = [_tier(draft, place, programme, policy, errors) for place, draft in enumerate(drafts)]
    _judge_together(programme, drafts, tiers, errors)
    if errors:
        raise Unprocessable("invalid_tiers", " ".join(dict.fromkeys(errors.values())), errors=errors)
    kept = {draft.id for draft in drafts}
    for tier in programme.tiers:
        if tier.id not in kept:
            _refuse_if_used(session, tier)
    ladder = Ladder(zone=programme.timezone, policy=policy, tiers=tuple(tiers))
    return Plan(drafts=tuple(drafts), ladder=ladder)


def preview(session: Session, programme: Programme, planned: Plan, *, now: datetime) -> Moves:
    """Who would move at once if the plan were saved now; nothing is written."""
    ladder, today = planned.ladder, planned.ladder.today(now)
    names = {tier.id: tier.name for tier in programme.tiers} | {tier.id: tier.name for tier in ladder.tiers}
    members, counted = looking_ahead.movers(session, programme.id, ladder, today)
    up = sum(n for (here, there), n in counted.items() if ladder.place(there) > ladder.place(here))
    moves = {(_name(names, here), _name(names, there)): n for (here, there), n in counted.items()}
    return Moves(members=members, moves=moves, up=up, down=sum(counted.values()) - up)


def save(session: Session, programme: Programme, planned: Plan, *, now: datetime) -> None:
    """Put a plan into force that was made of a programme `locked` before. Cards are brought to it by the job, chunk by
    chunk; sales go by it at once.

    Raises: Conflict `tier_has_history`, if offers or wallets still speak of a tier that would be deleted.
    """
    before = standings.ladder_of(session, programme.id)
    _write_policy(session, programme.id, planned.ladder.policy, now)
    _write_tiers(session, programme, planned)
    after = standings.ladder_of(session, programme.id)
    if (before.policy, _steps(before)) != (after.policy, _steps(after)):
        again = update(TierPolicy).where(TierPolicy.programme_id == programme.id).values(recalculated_to=0)
        session.execute(again.execution_options(synchronize_session=False))
    programmes.redesigned(session, programme, now=now)


def set_policy(session: Session, programme: Programme, policy: Policy, *, now: datetime) -> None:
    """Change how tiers are reached, kept and lost, and leave the tiers as they are.

    Raises: as `plan`.
    """
    programme = locked(session, programme.id)
    drafts = drafts_of(programme, policy_of(session, programme.id))
    save(session, programme, plan(session, programme, drafts, policy), now=now)


def change_tiers(session: Session, programme: Programme, drafts: Sequence[TierDraft], *, now: datetime) -> None:
    """Add, rename, change and delete tiers: afterwards they are these.

    Raises: as `plan` and `save`.
    """
    programme = locked(session, programme.id)
    planned = plan(session, programme, drafts, policy_of(session, programme.id))
    save(session, programme, planned, now=now)


def members_in(session: Session, tier_id: int) -> int:
    """How many members have a tier: shown on their card, earned, or given by hand."""
    query = (
        select(func.count())
        .select_from(Card)
        .outerjoin(CardStanding, CardStanding.card_id == Card.id)
        .where(or_(Card.tier_id == tier_id, CardStanding.tier_id == tier_id, CardStanding.granted_tier_id == tier_id))
    )
    return session.scalar(query) or 0


def members_by_tier(session: Session, programme_id: int) -> dict[int | None, int]:
    """How many valid cards show each tier, by its id; None is no tier."""
    query = select(Card.tier_id, func.count()).where(Card.programme_id == programme_id, Card.status == "active")
    return {tier_id: count for tier_id, count in session.execute(query.group_by(Card.tier_id))}  # noqa: C416


def is_recalculating(session: Session, programme_id: int) -> bool:
    """Whether cards are still being brought to changed rules."""
    query = select(TierPolicy.programme_id).where(TierPolicy.programme_id == programme_id)
    return session.scalar(query.where(TierPolicy.recalculated_to.is_not(None))) is not None


def _faults_of(policy: Policy) -> dict[str, str]:
    errors: dict[str, str] = {}
    if not 1 <= policy.months <= MONTHS_MAX:
        errors["policy.months"] = Sentence("A window has 1 to %(most)s months.", most=MONTHS_MAX)
    if not 1 <= policy.validity_months <= MONTHS_MAX:
        errors["policy.validity_months"] = Sentence("A tier lasts 1 to %(most)s months.", most=MONTHS_MAX)
    if not 0 <= policy.grace_days <= GRACE_MAX:
        errors["policy.grace_days"] = Sentence("A grace has 0 to %(most)s days.", most=GRACE_MAX)
    return errors


def _tier(draft: TierDraft, place: int, programme: Programme, policy: Policy, errors: dict[str, str]) -> HeldTier:
    where = f"tiers.{place}"
    if not 1 <= len(draft.name.strip()) <= NAME_CHARACTERS or not is_showable(draft.name):
        errors[f"{where}.name"] = "A tier has a name of its own, of 1 to 40 characters."
    if draft.background_color and not HEX.fullmatch(draft.background_color.lower()):
        errors[f"{where}.background_color"] = "Write the colour as #rrggbb."
    factor = Fraction(1)
    if programmes.MULTIPLIER.fullmatch(draft.multiplier) and Fraction(draft.multiplier) > 0:
        factor = Fraction(draft.multiplier)
    else:
        errors[f"{where}.multiplier"] = 'A multiplier is a decimal string such as "1.5".'
    return HeldTier(
        id=draft.id if draft.id is not None else -1 - place,
        name=draft.name.strip(),
        threshold_minor=_threshold(draft.threshold, where, programme.currency, policy.metric, errors),
        multiplier_num=factor.numerator,
        multiplier_den=factor.denominator,
    )


def _threshold(text: str, where: str, currency: str, metric: Metric, errors: dict[str, str]) -> int:
    if metric is Metric.SPEND:
        try:
            return money.minor_units(text, currency)
        except AppError as problem:
            errors[f"{where}.threshold"] = problem.public
            return 0
    if text.isascii() and text.isdigit() and int(text[:11]) <= money.LARGEST_MINOR:
        return int(text)
    errors[f"{where}.threshold"] = "Write a whole number of points or visits, for example 40."
    return 0


def _judge_together(
    programme: Programme, drafts: Sequence[TierDraft], tiers: Sequence[HeldTier], errors: dict[str, str]
) -> None:
    if len(tiers) > TIERS_MAX:
        errors["tiers"] = Sentence("A programme has at most %(most)s tiers.", most=TIERS_MAX)
    known = {tier.id for tier in programme.tiers}
    names: set[str] = set()
    ids: set[int | None] = set()
    for place, (draft, tier) in enumerate(zip(drafts, tiers, strict=True)):
        if place and tier.threshold_minor <= tiers[place - 1].threshold_minor:
            errors.setdefault(f"tiers.{place}.threshold", "Thresholds rise from tier to tier.")
        if tier.name in names:
            errors.setdefault(f"tiers.{place}.name", "A tier has a name of its own, of 1 to 40 characters.")
        if draft.id is not None and (draft.id not in known or draft.id in ids):
            errors[f"tiers.{place}.id"] = "There is no such tier in this programme."
        names.add(tier.name)
        ids.add(draft.id)


def _refuse_if_used(session: Session, tier: Tier) -> None:
    if members := members_in(session, tier.id):
        raise Conflict(
            "tier_in_use",
            Sentence(
                "Members who have the tier %(tier)s: %(members)s. Rename it instead, or wait until nobody has it.",
                members=members,
                tier=tier.name,
            ),
        )


def _steps(ladder: Ladder) -> list[tuple[int, int]]:
    return [(tier.id, tier.threshold_minor) for tier in ladder.tiers]


def _name(names: Mapping[int, str], tier_id: int | None) -> str | None:
    return None if tier_id is None else names[tier_id]


def _write_policy(session: Session, programme_id: int, policy: Policy, now: datetime) -> None:
    values = {
        "metric": policy.metric.value,
        "window_kind": policy.window.value,
        "months": policy.months,
        "validity_months": policy.validity_months,
        "grace_days": policy.grace_days,
        "drop_kind": policy.drop.value,
        "strict": policy.strict,
        "changed_at": now,
    }
    insert = insert_for(session, TierPolicy).values(programme_id=programme_id, **values)
    session.execute(insert.on_conflict_do_update(index_elements=["programme_id"], set_=values))


def _write_tiers(session: Session, programme: Programme, planned: Plan) -> None:
    """Deleted ones first; those that stay step aside before they take their new places and names, which are unique."""
    kept = {draft.id for draft in planned.drafts}
    by_id = {tier.id: tier for tier in programme.tiers}
    for tier in by_id.values():
        if tier.id not in kept:
            _delete(session, tier)
    aside = update(Tier).where(Tier.programme_id == programme.id)
    step = aside.values(position=-Tier.id, name="~" + cast(Tier.id, String))
    session.execute(step.execution_options(synchronize_session=False))
    for tier in by_id.values():
        if tier.id in kept:
            session.refresh(tier)
    for place, (draft, held) in enumerate(zip(planned.drafts, planned.ladder.tiers, strict=True)):
        tier = by_id.get(draft.id or 0) or Tier(programme_id=programme.id)
        tier.position, tier.name, tier.texts = place, held.name, dict(draft.texts)
        tier.threshold_minor = held.threshold_minor
        tier.multiplier_num, tier.multiplier_den = held.multiplier_num, held.multiplier_den
        tier.background_color = draft.background_color.lower() if draft.background_color else None
        session.add(tier)
    session.flush()
    session.expire(programme, ["tiers"])


def _delete(session: Session, tier: Tier) -> None:
    try:
        with session.begin_nested():
            session.delete(tier)
    except IntegrityError as problem:
        raise Conflict(
            "tier_has_history",
            Sentence(
                "Offers were made for the tier %(tier)s, or wallets have shown it. Rename it instead.", tier=tier.name
            ),
        ) from problem
