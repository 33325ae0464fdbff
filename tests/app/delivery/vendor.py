"""A vendor in memory: shows what each address was last told, and answers as it is ordered."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cards.models import Card
from app.outbox.claims import Claim
from app.wallets.channel import Errand, Result
from passes.outcome import Outcome

Answer = Callable[[Errand], Result]


def says(outcome: Outcome, **over: object) -> Answer:
    return lambda errand: Result(errand=errand, outcome=outcome, **over)  # type: ignore[arg-type]


delivered = says(Outcome.DELIVERED, status=200)


@dataclass
class Vendor:
    """Implements the channel protocol. `answers` are used up in order; then everything is delivered."""

    name: str = "apple"
    answers: deque[Answer] = field(default_factory=deque)
    always: Answer = delivered
    shows: dict[int, int] = field(default_factory=dict)
    pushed: list[Errand] = field(default_factory=list)
    batches: list[list[int]] = field(default_factory=list)
    told: list[Result] = field(default_factory=list)
    poisoned: set[int] = field(default_factory=set)
    outage: Exception | None = None
    secret: str = "one"
    during_push: Callable[[], None] | None = None
    during_prepare: Callable[[], None] | None = None
    sends_at_most: int = 1_000_000

    def credential(self, sender_name: str) -> str:
        return self.secret

    def prepare(self, session: Session, claim: Claim, *, now: datetime) -> list[Errand]:
        if self.during_prepare:
            act, self.during_prepare = self.during_prepare, None
            act()
        if self.outage:
            raise self.outage
        if self.poisoned & {one.address_id for one in claim.rows}:
            raise ValueError("this card cannot be drawn")
        ids = [one.card_id for one in claim.rows]
        versions = {one.id: one.version for one in session.scalars(select(Card).where(Card.id.in_(ids)))}
        return [
            Errand(claim, one, versions[one.card_id], None)
            for one in claim.rows
            if one.card_id is not None and one.card_id in versions
        ]

    def push(self, errands: Sequence[Errand]) -> list[Result]:
        errands = errands[: self.sends_at_most]
        self.pushed += errands
        self.batches.append([one.target.address_id for one in errands])
        results = [(self.answers.popleft() if self.answers else self.always)(one) for one in errands]
        for one in results:
            if one.outcome is Outcome.DELIVERED:
                self.shows[one.errand.target.address_id] = one.errand.version
        if self.during_push:
            act, self.during_push = self.during_push, None
            act()
        return results

    def settled(self, session: Session, results: Sequence[Result], *, now: datetime) -> None:
        self.told += results
