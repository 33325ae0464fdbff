"""What delivery asks of each vendor: the same three steps, whoever the vendor is.

A campaign makes a million of these values: they are named tuples (made in a quarter of a microsecond; a frozen
dataclass takes a whole one), and what a batch has in common is said once, in its claim.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from sqlalchemy.orm import Session

from app.outbox.claims import Claim, Claimed
from passes.outcome import Outcome

NOTHING_ELSE: Mapping[str, Any] = MappingProxyType({})


class Errand(NamedTuple):
    """One send, as plain values: no rows, so that nothing is open while the network is used.

    `version` was read after the claim; settling acknowledges it, never the claimed `want`. `payload` is the channel's
    own.
    """

    claim: Claim
    target: Claimed
    version: int
    payload: Any


class Result(NamedTuple):
    """What became of an errand. `breaker`: the fault that stops the whole sender, in words."""

    errand: Errand
    outcome: Outcome
    status: int = 0
    reason: str = ""
    retry_after_s: float | None = None
    breaker: str = ""
    took_ms: int = 0
    facts: Mapping[str, Any] = NOTHING_ELSE


class Channel(Protocol):
    """A way to tell an address about a card. Implemented by wallets.apple and wallets.google."""

    name: str

    def prepare(self, session: Session, claim: Claim, *, now: datetime) -> list[Errand]:
        """Read everything the sends need, in few statements. A target whose card is gone yields no errand."""

    def push(self, errands: Sequence[Errand]) -> list[Result]:
        """Use the network; one result for each errand that was tried, never an exception for a vendor's answer.

        All errands are of one claim. Whoever sends them one after the other stops at `claim.send_until_ms`: an errand
        without a result was not sent, and is given back.
        """

    def settled(self, session: Session, results: Sequence[Result], *, now: datetime) -> None:
        """Write what only this vendor knows: dead tokens, bodies acknowledged, alerts spent."""
