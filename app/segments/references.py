"""What rules may name in a programme: its stores, tiers, offers and so on, for checking and for choosing from."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.cards.models import Programme, Store, Tier
from app.errors import Unprocessable
from app.segments.outside import CAMPAIGN, CLUB, OFFER, REWARD, STAMP_CARD
from app.segments.people import NONE
from app.segments.rules import Group, Leaf, Not, Rule
from app.segments.shapes import SHAPES

Choices = Mapping[str, Mapping[str, str]]
MOST_CHOICES = 500


def choices(session: Session, programme_id: int, *, most: int | None = MOST_CHOICES) -> Choices:
    """By source: what can be chosen, as value and name; of many, the newest."""
    queries: dict[str, Any] = {
        "stores": select(Store.public_id, Store.name).where(Store.programme_id == programme_id).order_by(Store.name),
        "regions": select(Store.region, Store.region)
        .where(Store.programme_id == programme_id, Store.region != "")
        .distinct()
        .order_by(Store.region),
        "tiers": select(Tier.id, Tier.name).where(Tier.programme_id == programme_id).order_by(Tier.position),
        "offers": _of(OFFER, OFFER.c.public_id, OFFER.c.title, programme_id),
        "rewards": _of(REWARD, REWARD.c.public_id, REWARD.c.name, programme_id),
        "clubs": _of(CLUB, CLUB.c.slug, CLUB.c.name, programme_id),
        "stamp_cards": _of(STAMP_CARD, STAMP_CARD.c.public_id, STAMP_CARD.c.name, programme_id),
        "campaigns": _of(CAMPAIGN, CAMPAIGN.c.public_id, CAMPAIGN.c.name, programme_id),
    }
    found: dict[str, dict[str, str]] = {}
    for source, query in queries.items():
        rows = session.execute(query if most is None else query.limit(most))
        found[source] = {f"tier_{key}" if source == "tiers" else str(key): str(name) for key, name in rows}
    found["tiers"][NONE] = ""
    return found


def check(session: Session, programme: Programme, rule: Rule) -> None:
    """See that what a rule names is there. Regions may come later; a store, tier or club may not.

    Raises: Unprocessable `invalid_rules`, by path.
    """
    asked = [
        (path, leaf) for path, leaf in with_paths(rule, "rules") if SHAPES[leaf.fact].source not in {"", "regions"}
    ]
    if not asked:
        return
    known = choices(session, programme.id, most=None)
    errors: dict[str, str] = {}
    text = "There is no such thing in this programme; choose one from the list."
    for path, leaf in asked:
        shape = SHAPES[leaf.fact]
        values = (leaf.name,) if shape.has_name else leaf.values
        if any(value not in known[shape.source] for value in values):
            errors[f"{path}.{'name' if shape.has_name else 'value'}"] = text
    if errors:
        raise Unprocessable("invalid_rules", text, errors=errors)


def with_paths(rule: Rule, path: str) -> Iterator[tuple[str, Leaf]]:
    """Every question with its path, such as `rules.all[0]`."""
    if isinstance(rule, Leaf):
        yield path, rule
    elif isinstance(rule, Not):
        yield from with_paths(rule.part, f"{path}.not")
    elif isinstance(rule, Group):
        for number, part in enumerate(rule.parts):
            yield from with_paths(part, f"{path}.{rule.how}[{number}]")


def _of(source: Any, key: Any, name: Any, programme_id: int) -> Select[Any]:
    newest = source.c.id.desc() if "id" in source.c else source.c.public_id
    return select(key, name).where(source.c.programme_id == programme_id).order_by(newest)
