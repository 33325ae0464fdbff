"""Campaigns as marketing reads them: rows of the list, progress, and who did what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.campaigns import approval, timing
from app.campaigns import service as campaigns
from app.campaigns.models import Campaign, CampaignRun, Recipient
from app.campaigns.service import Counts
from app.errors import Forbidden
from app.i18n import page_language
from app.marketing import place
from app.marketing.campaigns import sentence, words

COUNTED_MOST = 300_000
GROUPS = (
    ("needs", ("draft", "approved")),
    ("running", ("sending", "paused")),
    ("coming", ("queued",)),
    ("over", ("sent", "stopped")),
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the list. `sent` and `not_sent` are None where so many people are only counted on its own page."""

    public_id: str
    name: str
    state: str
    tone: str
    who: str
    when: str
    planned: int
    sent: int | None
    not_sent: int | None


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """One occurrence of a campaign."""

    when: str
    state: str
    tone: str
    planned: int


def own(session: Session, public_id: str) -> Campaign:
    """A campaign that this person may see.

    Raises: NotFound `unknown_campaign`; Forbidden `not_yours`.
    """
    found = campaigns.by_id(session, public_id)
    if not place.is_own(found.programme_id):
        raise Forbidden("not_yours", "This campaign belongs to another programme.")
    return found


def groups(session: Session, programme_id: int) -> list[tuple[str, str, list[Row]]]:
    """All campaigns: what waits for somebody, what runs, what comes, and what is over."""
    found = campaigns.of_programme(session, programme_id)
    rows = dict(zip([one.id for one in found], rows_of(session, found), strict=True))
    titles = {
        "needs": gettext("Drafts"),
        "running": gettext("Being sent"),
        "coming": gettext("Scheduled"),
        "over": gettext("Over"),
    }
    return [(key, titles[key], [rows[one.id] for one in found if one.state in states]) for key, states in GROUPS]


def rows_of(session: Session, found: Sequence[Campaign]) -> list[Row]:
    """Campaigns with how many people they were planned for, sent to and not."""
    audiences = words.audiences(session, found, page_language())
    planned = _planned(session, [one.id for one in found])
    counted = _counted(session, found, planned)
    return [_row(one, audiences[one.id], planned.get(one.id, 0), counted.get(one.id)) for one in found]


def runs(session: Session, one: Campaign, zone: str) -> list[RunRow]:
    """The occurrences of a campaign, the newest first."""
    found = []
    for run in campaigns.runs_of(session, one, limit=20):
        state, tone = words.run_state(run.state)
        found.append(RunRow(when=words.moment(run.fire_at, zone), state=state, tone=tone, planned=run.planned))
    return found


def reasons(counts: Counts) -> list[tuple[str, int]]:
    """Why some got nothing, the most frequent reason first."""
    return [(words.reason(code), people) for code, people in sorted(counts.reasons.items(), key=lambda one: -one[1])]


def story(session: Session, one: Campaign, zone: str) -> list[Mapping[str, str]]:
    """Who wrote, approved, launched and stopped it."""
    steps: list[tuple[str, str, datetime | None, str]] = [
        (gettext("Written"), one.created_by, one.created_at, ""),
        (gettext("Changed"), one.changed_by, one.changed_at if one.revision > 1 else None, ""),
        (gettext("Approved"), one.approved_by, one.approved_at, ""),
        (gettext("Scheduled"), one.launched_by, one.launched_at, ""),
        (gettext("Stopped"), one.stopped_by, one.ended_at if one.stopped_by else None, one.stopped_because),
    ]
    names = words.people(session, [by for _, by, at, _ in steps if at])
    return [
        {"title": title, "text": " · ".join(part for part in (names.get(by, by), because) if part),
         "when": words.moment(at, zone)}
        for title, by, at, because in sorted(steps, key=lambda step: step[2] or one.created_at) if at
    ]  # fmt: skip


def withdrawn(one: Campaign) -> str:
    """Why a scheduled campaign is a draft again without anybody having changed it; empty if it is none."""
    if one.state != "draft":
        return ""
    if one.stopped_because == approval.NEEDED:
        return str(gettext("More people were in its audience than may be told without a second person’s approval. "
                           "Nobody was told; have it approved, and schedule it anew."))  # fmt: skip
    if one.stopped_because == approval.GREW:
        return str(gettext("Its audience was no longer the one that was approved: it had grown by more than a fifth, "
                           "or its segment had other rules. Nobody was told; have it approved again, and schedule it "
                           "anew."))  # fmt: skip
    return ""


def _row(one: Campaign, who: str, planned: int, counted: Counts | None) -> Row:
    state, tone = words.campaign_state(one.state, one.kind)
    return Row(
        public_id=one.public_id,
        name=one.name,
        state=state,
        tone=tone,
        who=who,
        when=_when(one),
        planned=planned,
        sent=counted.sent if counted else None,
        not_sent=counted.suppressed if counted else None,
    )


def _when(one: Campaign) -> str:
    if one.kind == "triggered":
        return words.when_triggered(one.trigger)
    if one.send_local in {"", timing.NOW}:
        return str(gettext("at once")) if one.send_local else "–"
    at = datetime.fromisoformat(one.send_local[:16])
    return sentence.again(one, at) if one.kind == "recurring" else words.clock_time(at)


def _planned(session: Session, ids: Sequence[int]) -> dict[int, int]:
    query = (
        select(CampaignRun.campaign_id, func.sum(CampaignRun.planned))
        .where(CampaignRun.campaign_id.in_(ids))
        .group_by(CampaignRun.campaign_id)
    )
    return {campaign_id: int(people) for campaign_id, people in session.execute(query)}


def _counted(session: Session, found: Sequence[Campaign], planned: Mapping[int, int]) -> dict[int, Counts]:
    """The counts of as many of the newest campaigns as can be counted for a list that opens at once."""
    ids, people = [], 0
    for one in found:
        people += planned.get(one.id, 0)
        if people > COUNTED_MOST:
            break
        ids.append(one.id)
    query = (
        select(CampaignRun.campaign_id, Recipient.state, func.count())
        .join(Recipient, Recipient.run_id == CampaignRun.id)
        .where(CampaignRun.campaign_id.in_(ids))
        .group_by(CampaignRun.campaign_id, Recipient.state)
    )
    states: dict[int, dict[str, Any]] = {campaign_id: {} for campaign_id in ids}
    for campaign_id, state, number in session.execute(query):
        states[campaign_id][state] = number
    return {
        campaign_id: Counts(
            planned=sum(found.values()),
            sent=found.get("sent", 0),
            waiting=found.get("planned", 0),
            reasons={"": found.get("suppressed", 0)},
        )
        for campaign_id, found in states.items()
    }
