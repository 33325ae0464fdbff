"""Who stands behind a card: cards that were joined are one person, whatever they did on which of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.habits import joined
from app.habits.joined import CARD_MERGE


@dataclass(frozen=True, kw_only=True)
class Joined:
    """Of some cards those that were joined with others: `roots` says which card each of them counts for,
    `families` which cards count for each root."""

    roots: Mapping[int, int] = field(default_factory=dict)
    families: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    def person(self, card_id: int) -> int:
        """The card that stands for everything that its owner did."""
        return self.roots.get(card_id, card_id)

    def others(self, card_ids: Iterable[int]) -> Iterator[tuple[int, int]]:
        """Each of these cards beside every other one of the same person."""
        for card_id in card_ids:
            for other in self.families.get(self.person(card_id), ()):
                if other != card_id:
                    yield card_id, other


def are_any_joined(session: Session) -> bool:
    """Whether there is any card that was joined with another one."""
    query = select(CARD_MERGE.c.source_id).where(CARD_MERGE.c.undone_at.is_(None)).limit(1)
    return session.execute(query).first() is not None


def of(session: Session, card_ids: Sequence[int]) -> Joined:
    """Those of the cards (in order, at least one) that were joined with others."""
    mine, touched = set(card_ids), set[int]()
    for end in (CARD_MERGE.c.source_id, CARD_MERGE.c.target_id):
        query = select(end).where(end.between(card_ids[0], card_ids[-1]), CARD_MERGE.c.undone_at.is_(None))
        touched.update(card_id for card_id in session.scalars(query) if card_id in mine)
    if not touched:
        return Joined()
    roots = joined.roots(session, touched)
    families: dict[int, tuple[int, ...]] = {}
    for card_id, root in sorted(joined.families(session, set(roots.values())).items()):
        families[root] = (*families.get(root, ()), card_id)
    return Joined(roots=roots, families=families)
