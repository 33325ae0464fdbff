"""Who is to be told something by a triggered campaign, as each trigger finds them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement

from app import localtime
from app.campaigns.triggers import Trigger
from app.cards.models import Card


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """A card, and why. One campaign tells it once for each `occasion`, such as `birthday:2026-11-23`.

    `local`: the wall clock by the member's own zone at which the message is meant to leave, "2026-11-23T10:00"; empty:
    at once.
    """

    card_id: int
    occasion: str
    local: str = ""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Whom a trigger is asked for: `audience`, conditions on Card; since `since`, when the campaign was launched.

    `today`: the programme's day at `now`. Cards after `after` are looked for, at most `limit` at once. `far`: look back
    as far as is still worth it; else only at the last minutes, for what happens often.
    """

    campaign_id: int
    programme_id: int
    trigger: Trigger
    audience: Sequence[ColumnElement[bool]]
    zone: str
    today: date
    since: datetime
    now: datetime
    after: int = 0
    limit: int = 500
    far: bool = True

    @property
    def cards(self) -> list[ColumnElement[bool]]:
        """The cards of this chunk, if the statement is ordered by their ids."""
        return [*self.audience, Card.id > self.after]

    def midnight(self, days_ago: int = 0) -> datetime:
        """The first instant of a day before today, by the programme's clock."""
        return localtime.start_of_day(self.today - timedelta(days=days_ago), self.zone)

    def day_of(self, at: datetime) -> date:
        """The programme's day of an instant."""
        return localtime.wall_clock(at, self.zone).date()

    def local(self, day: date) -> str:
        """The time of day of the trigger on a day."""
        return datetime.combine(day, self.trigger.at).isoformat(timespec="minutes")

    def found(self, due: Sequence[Due], looked_at: Sequence[int]) -> "Found":
        """A chunk: the cards that were looked at, in their order, and who of them is due."""
        return Found(due=due, after=looked_at[-1] if len(looked_at) >= self.limit else None)


@dataclass(frozen=True, kw_only=True)
class Found:
    """One chunk: who is due, and the card after which the next one begins; None: there is none."""

    due: Sequence[Due]
    after: int | None = None
