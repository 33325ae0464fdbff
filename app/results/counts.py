"""What was counted of a campaign, as whole numbers; `results.verdict` says what they mean.

Kept as JSON between two counts, so nothing here is an estimate.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

TREATED = "treated"
HELD_BACK = "holdout"
APART = ""  # the arm of those who are held back of everything


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One group: everybody who was assigned to it, told or not, and what they did within the window of each. Cards that
    were joined are one member, with what was done on all of them.

    `visits` and `capped_minor` come with the sums of their squares, of which limits are made. `capped_minor` is the
    spend with every member's part cut at the cap. `uses` of the offer and what they took off (`cost_minor`) count from
    each one's instant on, without an end.
    """

    people: int = 0
    buyers: int = 0
    redeemers: int = 0
    visits: int = 0
    visits_squared: int = 0
    spend_minor: int = 0
    capped_minor: int = 0
    capped_squared: int = 0
    uses: int = 0
    cost_minor: int = 0


@dataclass(frozen=True, kw_only=True)
class Planned:
    """How many people were assigned while such a share (basis points) was held back."""

    held_bp: int
    people: int


@dataclass(frozen=True, kw_only=True)
class RunCounts:
    """One run: `planned` = `sent` + `suppressed` + `waiting`."""

    occurrence: str
    fire_at: int
    planned: int = 0
    sent: int = 0
    waiting: int = 0
    suppressed: int = 0


@dataclass(frozen=True, kw_only=True)
class Moment:
    """How far it had come at a moment (epoch milliseconds), as each count found it."""

    at: int
    sent: int
    accepted: int
    fetched: int
    redeemed: int


@dataclass(frozen=True, kw_only=True)
class Counts:
    """A campaign at one moment. `planned` = `sent` + `waiting` + the sum of `reasons`, to the unit.

    `accepted`: cards of which a wallet's service has taken the message, `apple` and `google` by wallet; `fetched`: of
    those, cards that an Apple phone has downloaded since. `notes`: what else is said of recipients, such as
    wallet_quota where it came without a sound. `redeemed_by_day`: uses by day of the programme. `cap_minor`: where one
    member's spend is cut. `last_due_at`: when the last one may be told (epoch milliseconds).
    """

    computed_at: datetime
    planned: int = 0
    sent: int = 0
    waiting: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)
    accepted: int = 0
    apple: int = 0
    google: int = 0
    fetched: int = 0
    treated: Arm = field(default_factory=Arm)
    held_back: Arm = field(default_factory=Arm)
    apart: Arm = field(default_factory=Arm)
    splits: tuple[Planned, ...] = ()
    redeemed_by_day: Mapping[str, int] = field(default_factory=dict)
    course: tuple[Moment, ...] = ()
    cap_minor: int = 0
    last_due_at: int | None = None
    runs: tuple[RunCounts, ...] = ()

    @property
    def suppressed(self) -> int:
        return sum(self.reasons.values())

    @property
    def is_counted(self) -> bool:
        """Whether those who were told were counted into their groups."""
        return self.sent == 0 or self.treated.people > 0 or self.held_back.people > 0

    @property
    def held_of_all(self) -> int:
        """Everybody who was not told on purpose, to be compared with: of this campaign, and of everything."""
        return self.reasons.get(HELD_BACK, 0)


def as_json(counts: Counts) -> dict[str, Any]:
    """The body of a kept result."""
    body = asdict(counts)
    body["computed_at"] = counts.computed_at.isoformat()
    return body


def read(body: Mapping[str, Any]) -> Counts:
    """The counts of a kept result, of whatever age: figures that are not known here are left out."""
    known = {one.name for one in fields(Counts)}
    values = {name: value for name, value in body.items() if name in known}
    values["computed_at"] = datetime.fromisoformat(values["computed_at"])
    for name in ("treated", "held_back", "apart"):
        values[name] = Arm(**values[name])
    for name, kind in (("splits", Planned), ("course", Moment), ("runs", RunCounts)):
        values[name] = tuple(kind(**one) for one in values[name])
    return Counts(**values)
