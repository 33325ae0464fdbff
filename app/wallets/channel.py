"""What delivery asks of each vendor: the same three steps, whoever the vendor is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.orm import Session

from app.outbox.models import Target
from passes.outcome import Outcome


@dataclass(frozen=True, kw_only=True)
class Errand:
    """One send, as plain values: no rows, so that nothing is open while the network is used.

    `version` was read after the claim; settling acknowledges it, never the claimed `want`.
    """

    target_id: int
    sender_id: int
    sender_name: str
    channel: str
    card_id: int | None
    address_id: int
    version: int
    lane: int
    lease: str
    payload: Any


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of an errand. `breaker`: the fault that stops the whole sender, in words."""

    errand: Errand
    outcome: Outcome
    status: int = 0
    reason: str = ""
    retry_after_s: float | None = None
    breaker: str = ""
    took_ms: int = 0
    facts: dict[str, Any] = field(default_factory=dict)


class Channel(Protocol):
    """A way to tell an address about a card. Implemented by wallets.apple and wallets.google."""

    name: str

    def prepare(self, session: Session, targets: Sequence[Target], *, now: datetime) -> list[Errand]:
        """Read everything the sends need, in few statements. A target whose card is gone yields no errand."""

    def push(self, errands: Sequence[Errand]) -> list[Result]:
        """Use the network; one result for each errand, never an exception for a vendor's answer."""

    def settled(self, session: Session, results: Sequence[Result], *, now: datetime) -> None:
        """Write what only this vendor knows: dead tokens, bodies acknowledged, alerts spent."""
