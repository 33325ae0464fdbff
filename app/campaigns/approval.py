"""Whether one person alone may tell as many, and whether what a second one approved is still what goes."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.campaigns import audience, policy, runs, states
from app.campaigns.models import Campaign
from app.errors import Conflict, Unprocessable
from app.segments.models import Segment

GROWN_MOST = (6, 5)
NEEDED, GREW = "approval_needed", "audience_grew"
GREW_TEXT = (
    "The audience is no longer the one that was approved: it has grown by more than a fifth, or its segment has other "
    "rules. It must be approved again."
)
NONE: dict[str, Any] = {
    "approved_by": "", "approved_at": None, "approved_count": None, "approved_rules": None, "launched_by": "",
    "launched_at": None, "stopped_because": "",
}  # fmt: skip
"""What a campaign is given that nobody has approved or launched."""


def given(session: Session, campaign: Campaign, *, by: str, now: datetime) -> dict[str, Any]:
    """An approval as a campaign keeps it: of how many people, and of which rules of its segment.

    Raises: Unprocessable `empty_audience`.
    """
    people = audience.count(session, campaign, now=now)
    require_people(campaign, people)
    rules = _rules(session, campaign)
    told = {"approved_by": by, "approved_at": now, "approved_count": people, "approved_rules": rules}
    return NONE | told


def require(session: Session, campaign: Campaign, *, now: datetime) -> None:
    """See at its launch that a campaign has the approval that it needs.

    Raises: Unprocessable `empty_audience`; Conflict `approval_needed`, or `audience_grew`, and it is a draft again.
    """
    if campaign.state == "approved":
        people = audience.count(session, campaign, now=now)
        require_people(campaign, people)
        if not _holds(session, campaign, people):
            states.turn(session, campaign, of=("approved",), state="draft", **NONE)
            raise Conflict(GREW, GREW_TEXT, commits=True)
        return
    above = policy.of(session, campaign.programme_id).approve_above
    people = audience.count(session, campaign, now=now, most=above + 1)
    require_people(campaign, people)
    if people > above:
        raise Conflict(NEEDED, "This goes to many people; ask somebody else to approve it first.")


def missing(session: Session, campaign: Campaign, *, now: datetime) -> str:
    """What a launched campaign lacks now that its time has come, of people as they are today: empty if nothing."""
    above = policy.of(session, campaign.programme_id).approve_above
    enough = max(above, (campaign.approved_count or 0) * GROWN_MOST[0] // GROWN_MOST[1]) + 1
    people = audience.count(session, campaign, now=now, most=enough)
    if people <= above:
        return ""
    if not campaign.approved_by:
        return NEEDED
    return "" if _holds(session, campaign, people) else GREW


def withdraw(session: Session, campaign: Campaign, because: str) -> bool:
    """Make a launched campaign a draft again before anybody of its next run is told; whether it still could be."""
    if states.locked(session, campaign).state != "queued":
        return False
    runs.forget(session, campaign.id)
    return states.turn(session, campaign, of=("queued",), state="draft", **{**NONE, "stopped_because": because})


def require_people(campaign: Campaign, people: int) -> None:
    """See that somebody is told. A triggered campaign can begin before anybody is there.

    Raises: Unprocessable `empty_audience`.
    """
    if people == 0 and campaign.kind != "triggered":
        text = "Nobody is in this audience; choose another."
        raise Unprocessable("empty_audience", text, errors={"segment": text})


def _holds(session: Session, campaign: Campaign, people: int) -> bool:
    has_grown = people * GROWN_MOST[1] > (campaign.approved_count or 0) * GROWN_MOST[0]
    return not has_grown and campaign.approved_rules == _rules(session, campaign)


def _rules(session: Session, campaign: Campaign) -> int | None:
    """Which rules its segment has now; None without one."""
    return session.get_one(Segment, campaign.segment_id).revision if campaign.segment_id else None
