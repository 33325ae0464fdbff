"""What stands beside a campaign: the plan in figures, the cards of three members, and whether it may go."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from app.campaigns import drafting, policy, texts
from app.campaigns.drafting import Draft
from app.campaigns.models import Campaign
from app.cards.models import Card
from app.errors import AppError
from app.i18n import translate
from app.marketing import preview as shared
from app.marketing.campaigns import plan, preview, words
from app.marketing.campaigns.plan import Plan
from app.marketing.campaigns.preview import Words
from app.marketing.preview import Drawn, Material
from app.segments import service as segments
from app.world import World


@dataclass(frozen=True, kw_only=True)
class Side:
    """`people`: who would be sent to. `refusal`: why nobody can be. `warnings`: allowed, and perhaps not meant."""

    audience: int
    people: int
    needs_approval: bool
    refusal: str
    warnings: Sequence[str]
    plan: Plan | None
    members: Sequence[Drawn]


@dataclass(frozen=True, kw_only=True)
class Read:
    """What was read for it; it is drawn after the transaction."""

    side: Side
    material: Material
    said: Words


def read(session: Session, draft: Draft, world: World, *, now: datetime, kept: Campaign | None = None) -> Read:
    """Count the audience, plan the sending, and find three members to draw."""
    wanted = audience_of(session, draft, now=now)
    audience = session.scalar(select(func.count()).select_from(Card).where(*wanted)) or 0
    planned = plan.of(session, draft, world.settings, kept=kept, now=now) if audience else None
    people = planned.leaving if planned else 0
    side = Side(
        audience=audience,
        people=people,
        needs_approval=audience > policy.of(session, draft.programme.id).approve_above,
        refusal=_refusal(audience, people, is_planned=planned is not None),
        warnings=_warnings(draft),
        plan=planned,
        members=(),
    )
    found = shared.material(session, wanted, world.settings.base_url, now=now)
    said = Words(
        message=draft.message,
        offer=draft.offer,
        language=draft.programme.language,
        leaves_at=planned.first_at if planned and planned.first_at else now,
        numbers=plan.numbers(session, draft, [view.card_id for view in found.views], now=now),
    )
    return Read(side=side, material=found, said=said)


def drawn(world: World, found: Read, *, now: datetime) -> Side:
    """The same with the cards drawn; nothing is drawn of a campaign that says nothing yet."""
    says = bool(found.said.offer or str(found.said.message.get("title", "")).strip())
    members = preview.draw(world, found.material, found.said, now=now) if says else []
    side = found.side
    return Side(
        audience=side.audience, people=side.people, needs_approval=side.needs_approval, refusal=side.refusal,
        warnings=side.warnings, plan=side.plan, members=members,
    )  # fmt: skip


def audience_of(session: Session, draft: Draft, *, now: datetime) -> list[ColumnElement[bool]]:
    """The conditions on cards of a draft's audience."""
    return segments.audience(
        session, draft.programme.id, segment=draft.segment, tier_id=draft.tier.id if draft.tier else None,
        stores=[store.id for store in draft.stores], now=now,
    )  # fmt: skip


def _warnings(draft: Draft) -> list[str]:
    """What is allowed and perhaps not meant; of what is not even right, the form itself speaks."""
    try:
        drafting.check(draft)
    except AppError:
        return []
    return [*(translate(one) for one in drafting.warnings(draft)), *_without_fallback(draft)]


def _without_fallback(draft: Draft) -> list[str]:
    """Fields that somebody may not have, where nothing stands instead."""
    every = [draft.message, *(draft.message.get("texts") or {}).values()]
    places = [place for one in every for part in ("title", "body") for place in texts.places(str(one.get(part) or ""))]
    names = dict(words.fields())
    bare = dict.fromkeys(names[place.field] for place in places if place.fallback is None)
    if not bare:
        return []
    named = ", ".join(bare)
    return [str(gettext("Who has nothing for “%(fields)s” gets nothing. Write after the bar what stands there then.",
                        fields=named))]  # fmt: skip


def _refusal(audience: int, people: int, *, is_planned: bool) -> str:
    if audience == 0:
        return str(gettext("Nobody is in this audience, so it cannot be scheduled. Choose another."))
    if not is_planned:
        return str(gettext("Complete the form, and the plan appears here."))
    if people == 0:
        return str(gettext("Of this audience nobody can be told now; the reasons are beside."))
    return ""
