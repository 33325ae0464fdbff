"""The questions an operator opens this room with, each with its answer; needs a page around it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.admin import certificates, gate, words
from app.admin.deliveries import devices, ledger
from app.admin.deliveries.ledger import Standing
from app.admin.pages import ago, number
from app.admin.texts import gettext, ngettext
from app.alarms import backups
from app.alarms.conditions import BACKUP_OLD
from app.clock import milliseconds
from app.delivery import queries
from app.delivery.queries import SenderState
from app.fraud import watching
from app.i18n import translate
from app.staff.guards import StaffIdentity
from app.wallets.apple.identities import URGENT_DAYS
from app.world import World

ALIVE_WITHIN = timedelta(seconds=60)
LATE_AFTER = timedelta(minutes=2)


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """One thing that is not as it should be, and where it is mended."""

    tone: str
    sentence: str
    href: str = ""
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One question: green with its figure, or what is wrong."""

    question: str
    figure: str
    sentence: str
    troubles: tuple[Trouble, ...]

    @property
    def tone(self) -> str:
        tones = {one.tone for one in self.troubles}
        return "bad" if "bad" in tones else "warn" if "warn" in tones else "good"


def answers(world: World, session: Session, me: StaffIdentity, *, now: datetime) -> list[Answer]:
    """The questions, in the order of their weight; backups are no business of a single programme."""
    senders = [one for one in queries.senders(session, now_ms=milliseconds(now)) if _is_mine(session, me, one)]
    return [
        _current(session, me, senders, now),
        _expires(world, session, me, now),
        _refused(session, me, senders, now),
        _undecided(session, me),
        *([_backup(session, now)] if me.programme_id is None else []),
    ]


def _is_mine(session: Session, me: StaffIdentity, sender: SenderState) -> bool:
    mine = ledger.my_senders(session, me.programme_id)
    return mine is None or sender.id in mine or sender.vendor == "google"


def _current(session: Session, me: StaffIdentity, senders: list[SenderState], now: datetime) -> Answer:
    standings = ledger.standings(session, gate.visible(session, me), now=now)
    held = sum(one.total for one in standings if one.channel != "google_class")
    behind = sum(one.behind + one.parked for one in standings)
    troubles = [*_silence(session, behind, now), *_lateness(session, me, standings, senders, now)]
    if not held:
        sentence = gettext("No wallet holds a card yet. Put up the poster of a programme to begin.")
    elif behind:
        sentence = ngettext(
            "%(behind)s of %(held)s wallets is still to be told of the last change.",
            "%(behind)s of %(held)s wallets are still to be told of the last change.",
            behind,
            behind=number(behind),
            held=number(held),
        )
    else:
        sentence = ngettext(
            "The one wallet that holds a card was told of every change.",
            "All %(held)s wallets that hold a card were told of every change.",
            held,
            held=number(held),
        )
    return Answer(
        question=gettext("Is every phone current?"),
        figure=f"{number(held - min(behind, held))} / {number(held)}",
        sentence=sentence,
        troubles=tuple(troubles),
    )


def _silence(session: Session, behind: int, now: datetime) -> list[Trouble]:
    beat = ledger.last_beat(session)
    if beat is not None and now - beat <= ALIVE_WITHIN:
        return []
    sentence = (
        gettext("Delivery last showed a sign of life %(time)s ago.", time=ago(beat, now))
        if beat
        else gettext("Delivery has never run here.")
    )
    sentence += " " + gettext("Start it with `tessera run`, or `tessera worker` on a machine of its own.")
    return [Trouble(tone="bad" if behind else "warn", sentence=sentence)]


def _lateness(
    session: Session, me: StaffIdentity, standings: list[Standing], senders: list[SenderState], now: datetime
) -> list[Trouble]:
    """Waiting for longer than it should. What was parked is counted for this person's programme alone."""
    troubles = []
    parked = sum(one.parked for one in standings)
    if parked:
        text = ngettext("%(count)s wallet is parked.", "%(count)s wallets are parked.", parked, count=number(parked))
        href = "/admin/deliveries?cause=parked"
        troubles.append(Trouble(tone="bad", sentence=text, href=href, label=gettext("See which and why")))
    waits = ledger.late(session, now_ms=milliseconds(now), programme_id=me.programme_id)
    oldest = next((one for one in waits if one.cause != "parked"), None)
    if oldest and oldest.since and now - oldest.since > LATE_AFTER:
        text = gettext("The longest wait is %(time)s.", time=ago(oldest.since, now)) + f" {words.cause(oldest.cause)}."
        is_stopped = oldest.cause == "stopped" or any(one.is_open for one in senders)
        troubles.append(
            Trouble(
                tone="bad" if is_stopped else "warn",
                sentence=text,
                href="/admin/deliveries",
                label=gettext("Open the sync ledger"),
            )
        )
    return troubles


def _expires(world: World, session: Session, me: StaffIdentity, now: datetime) -> Answer:
    programmes = gate.visible(session, me)
    found = certificates.pass_types(world, programmes, with_folders=me.programme_id is None, now=now)
    days = [one.finding.days_left for one in found if one.finding.days_left is not None]
    label = gettext("Renew it step by step")
    troubles = [
        Trouble(
            tone="bad" if one.tone == "bad" or (one.finding.days_left or 0) <= URGENT_DAYS else "warn",
            sentence=translate(one.finding.sentence)
            + (" " + gettext("The till goes on.") if one.tone == "bad" else ""),
            href="/admin/certificates",
            label=label,
        )
        for one in found
        if one.tone != "good"
    ]
    if not found:
        sentence = gettext("No Apple certificate is in use yet.")
    elif troubles:
        sentence = gettext("Cards can be issued only while their certificate is valid.")
    else:
        sentence = gettext("Every certificate is valid; the first one ends in %(days)d days.", days=min(days))
    return Answer(
        question=gettext("Does anything expire?"),
        figure=ngettext("%(num)d day", "%(num)d days", max(0, min(days))) if days else "–",
        sentence=sentence,
        troubles=tuple(troubles),
    )


def _refused(session: Session, me: StaffIdentity, senders: list[SenderState], now: datetime) -> Answer:
    troubles = [
        Trouble(
            tone="bad",
            sentence=gettext("Sending through %(name)s is stopped: %(reason)s", name=one.name, reason=one.reason),
            href="/admin/deliveries#senders",
            label=gettext("Mend it and try again"),
        )
        for one in senders
        if one.is_open
    ]
    said = devices.complaints(session, now=now) if me.programme_id is None else []
    if said:
        lines = sum(one.count for one in said)
        text = ngettext(
            "Phones wrote %(count)s line in the last 7 days: %(first)s.",
            "Phones wrote %(count)s lines in the last 7 days, most of them: %(first)s.",
            lines,
            count=number(lines),
            first=devices.most_frequent(said),
        )
        href, label = "/admin/device-logs", gettext("Read what they say")
        troubles.append(Trouble(tone="warn", sentence=text, href=href, label=label))
    owed = ledger.causes(session, now=now) if me.programme_id is None else []
    retrying = sum(one.count for one in owed if one.cause == "retrying")
    sentence = gettext("Apple and Google take what is sent, and no phone complains.")
    if troubles:
        sentence = gettext("Not everything that was sent was taken.")
    elif retrying:
        sentence = ngettext(
            "%(count)s send failed and is tried again by itself.",
            "%(count)s sends failed and are tried again by themselves.",
            retrying,
            count=number(retrying),
        )
    return Answer(
        question=gettext("Is anything refused?"),
        figure=number(len(troubles)),
        sentence=sentence,
        troubles=tuple(troubles),
    )


def _undecided(session: Session, me: StaffIdentity) -> Answer:
    programmes = gate.visible(session, me)
    counts = watching.to_decide(session, [one.id for one in programmes])
    troubles = []
    for one in programmes:
        noticed, waiting = counts[one.id]
        texts = []
        if waiting:
            texts.append(ngettext("%(count)s correction waits.", "%(count)s corrections wait.", waiting,
                                  count=number(waiting)))  # fmt: skip
        if noticed:
            texts.append(ngettext("%(count)s notice is open.", "%(count)s notices are open.", noticed,
                                  count=number(noticed)))  # fmt: skip
        if texts:
            href = f"/admin/programmes/{one.slug}/notices"
            sentence = f"{one.name}: {' '.join(texts)}"
            troubles.append(Trouble(tone="warn", sentence=sentence, href=href, label=gettext("Look and decide")))
    return Answer(
        question=gettext("What needs a decision?"),
        figure=number(sum(map(sum, counts.values()))),
        sentence=gettext("Not everything that was noticed was looked at.") if troubles
        else gettext("No correction waits, and nothing looks wrong."),
        troubles=tuple(troubles),
    )  # fmt: skip


def _backup(session: Session, now: datetime) -> Answer:
    made = backups.newest(session)
    troubles = []
    if made is None:
        sentence = gettext("No backup was made yet: run tessera backup every night and keep the file elsewhere.")
        troubles.append(
            Trouble(tone="warn", sentence=gettext("If this machine is lost, all balances are lost with it."))
        )
    else:
        sentence = gettext("That long ago the last backup was made.")
        if now - made > BACKUP_OLD:
            text = gettext("If this machine is lost today, all that happened since then is lost with it.")
            troubles.append(Trouble(tone="bad", sentence=text))
    return Answer(
        question=gettext("When was the last backup?"),
        figure=ago(made, now) if made else "–",
        sentence=sentence,
        troubles=tuple(troubles),
    )
