"""Google's channel for classes: the shared face of a tier, and its live offers as messages that reach every holder."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.clock import milliseconds
from app.offers import service as offers
from app.outbox.claims import Claim, Claimed
from app.wallets import view as views
from app.wallets.channel import Errand, Result
from app.wallets.google import face, service
from app.wallets.google.exchange import Exchange, Wanted, bring
from app.wallets.google.models import GoogleClass, GoogleMessage
from app.wallets.google.push import GoogleChannel, result_of
from app.wallets.view import OfferView, ProgrammeView
from passes.errors import InvalidPass
from passes.google import answers, api, encode, patch
from passes.google.answers import Answer, Step
from passes.google.api import Request
from passes.google.ids import Kind
from passes.google.schema import Body
from passes.outcome import Outcome

log = logging.getLogger(__name__)

KIND = Kind.LOYALTY_CLASS
MESSAGES_MAX = 10
NEWS_FOR = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A live offer as a message of a class, once with and once without the alert."""

    offer_id: int
    message_id: str
    silent: Body
    alerting: Body | None


@dataclass(frozen=True, kw_only=True)
class ClassErrand:
    """A class to bring up to date. `kept` are on it and stay, `ended` (offer ids) go, `new` are to come."""

    wanted: Wanted
    kept: tuple[Notice, ...]
    ended: tuple[int, ...]
    new: tuple[Notice, ...]


@dataclass(kw_only=True)
class Progress:
    """What was achieved, step by step; it is kept even if a later step fails."""

    exchange: Exchange
    class_sent: bool = False
    removed: bool = False
    added: list[tuple[Notice, bool]] = field(default_factory=list)
    muted: bool = False


class GoogleClassChannel:
    """Channel `google_class`: a target's address is a google_class row."""

    name = "google_class"

    def __init__(self, objects: GoogleChannel) -> None:
        self._objects = objects
        self._client = objects.client

    def prepare(self, session: Session, claim: Claim, *, now: datetime) -> list[Errand]:
        """Read classes with their tiers, live offers and messages."""
        ids = [one.address_id for one in claim.rows]
        rows = {one.id: one for one in session.scalars(select(GoogleClass).where(GoogleClass.id.in_(ids)))}
        programmes = views.programme_views(session, {one.programme_id for one in rows.values()})
        spent = service.alerts_spent(session, scope="class", budget="message", ids=ids, now=now)
        errands = []
        for target in claim.rows:
            row = rows.get(target.address_id)
            if row is None or row.programme_id not in programmes:
                continue
            left = service.ALERTS_MAX - spent.get(row.id, 0)
            payload = self._payload(session, row, programmes[row.programme_id], target, left=left, now=now)
            errands.append(Errand(claim, target, target.want, payload))
        return errands

    def push(self, errands: Sequence[Errand]) -> list[Result]:
        """Send one class after the other: the face, then what is over, then what is new."""
        clock = self._objects.world.clock
        return [self._push_one(one) for one in errands if milliseconds(clock()) < one.claim.send_until_ms]

    def settled(self, session: Session, results: Sequence[Result], *, now: datetime) -> None:
        """Keep what was achieved, also of an errand that failed half way."""
        for result in sorted(results, key=lambda one: one.errand.target.address_id):
            progress: Progress | None = result.facts.get("progress")
            if progress is not None:
                self._keep(session, result.errand, progress, now)

    def _payload(
        self, session: Session, row: GoogleClass, programme: ProgrammeView, target: Claimed, *, left: int, now: datetime
    ) -> ClassErrand:
        tier = next((one for one in programme.tiers if one.id == row.tier_id), None)
        pictures = service.picture_addresses(session, programme.id, self._objects.at.base_url)
        body = encode.body(face.loyalty_class(programme, tier, pictures, at=self._objects.at))
        live = [
            views.offer_view(one)
            for one in offers.live_in(session, programme.id, now=now)
            if one.tier_id in (None, row.tier_id)
        ]
        on_class = {
            one.offer_id
            for one in session.scalars(
                select(GoogleMessage).where(GoogleMessage.google_class_id == row.id, GoogleMessage.removed_at.is_(None))
            )
        }
        newest = sorted(live, key=lambda one: one.starts_at, reverse=True)[:MESSAGES_MAX]
        shown = {one.id for one in newest}
        new = [one for one in reversed(newest) if one.id not in on_class]
        return ClassErrand(
            wanted=Wanted(kind=KIND, body=body, sent=row.sent, certain=target.attempts == 1),
            kept=tuple(_notice(one, programme, alert=False) for one in newest if one.id in on_class),
            ended=tuple(sorted(on_class - shown)),
            new=tuple(_notices(new, programme, left, max(row.created_at, now - NEWS_FOR))),
        )

    def _push_one(self, one: Errand) -> Result:
        payload: ClassErrand = one.payload
        try:
            progress = self._carry_out(payload)
        except InvalidPass as problem:
            return Result(errand=one, outcome=Outcome.REFUSED, reason=f"Google would refuse this class: {problem}")
        done = progress.exchange
        return result_of(self._client, one, done, {"calls": max(1, done.calls), "progress": progress})

    def _carry_out(self, payload: ClassErrand) -> Progress:
        progress = Progress(exchange=bring(self._client, payload.wanted))
        if not progress.exchange.delivered:
            return progress
        progress.class_sent = progress.exchange.answer is not None
        if payload.ended and not self._remove(payload, progress):
            return progress
        there = self._already_there(payload, progress)
        for notice in payload.new:
            if notice.message_id in there:
                progress.added.append((notice, notice.alerting is not None))
            elif not self._add(payload, notice, progress):
                break
        return progress

    def _remove(self, payload: ClassErrand, progress: Progress) -> bool:
        """Write the list without what is over. An empty list in a patch may mean "leave it": then write everything."""
        id = payload.wanted.id
        kept = [one.silent["message"] for one in payload.kept]
        changes: Body = {"messages": kept, "reviewStatus": payload.wanted.body["reviewStatus"]}
        answer = self._ask(progress, api.patch(KIND, id, changes))
        if answer.outcome is Outcome.DELIVERED and _holds_more(answer, kept):
            whole = {**payload.wanted.body, **({"messages": kept} if kept else {})}
            answer = self._ask(progress, api.update(KIND, id, whole))
        progress.removed = answer.outcome is Outcome.DELIVERED
        return progress.removed

    def _already_there(self, payload: ClassErrand, progress: Progress) -> set[str]:
        """Messages of an earlier try whose answer was lost: adding them again would buzz again."""
        if payload.wanted.certain or not payload.new:
            return set()
        answer = self._ask(progress, api.get(KIND, payload.wanted.id))
        found = answers.resource(answer)
        return {one.message_id for one in payload.new if answers.has_message(found, one.message_id)}

    def _add(self, payload: ClassErrand, notice: Notice, progress: Progress) -> bool:
        id = payload.wanted.id
        request = api.add_message(KIND, id, notice.alerting or notice.silent)
        answer = self._ask(progress, request)
        if answer.step is Step.REPEAT_SILENTLY:
            progress.muted = True
            request = api.silently(request)
            answer = self._ask(progress, request)
        if answer.step is Step.LOOK_FOR_MESSAGE:
            looked = self._client.call(api.get(KIND, id))
            progress.exchange.calls += 1
            if not answers.has_message(answers.resource(looked), notice.message_id):
                return False
            progress.exchange.answer = answer = looked
        if answer.outcome is not Outcome.DELIVERED:
            return False
        progress.added.append((notice, request.alerts))
        return True

    def _ask(self, progress: Progress, request: Request) -> Answer:
        answer = self._client.call(request)
        progress.exchange.answer = answer
        progress.exchange.calls += 1
        return answer

    def _keep(self, session: Session, one: Errand, progress: Progress, now: datetime) -> None:
        payload: ClassErrand = one.payload
        if progress.class_sent:
            body = payload.wanted.body
            values = {"sent": body, "sent_hash": patch.fingerprint(body)}
            session.execute(update(GoogleClass).where(GoogleClass.id == one.target.address_id).values(values))
        known = {
            row.offer_id: row
            for row in session.scalars(
                select(GoogleMessage).where(GoogleMessage.google_class_id == one.target.address_id)
            )
        }
        if progress.removed:
            for offer_id in payload.ended:
                known[offer_id].removed_at = now
        for notice, alerted in progress.added:
            _note(session, known, one.target.address_id, notice, alerted, now)
            if alerted:
                service.spend_alert(session, scope="class", scope_id=one.target.address_id, budget="message", now=now)
        if progress.muted:
            service.spend_alert(
                session,
                scope="class",
                scope_id=one.target.address_id,
                budget="message",
                now=now,
                count=service.ALERTS_MAX,
            )


def _note(
    session: Session,
    known: Mapping[int, GoogleMessage],
    class_row_id: int,
    notice: Notice,
    alerted: bool,
    now: datetime,
) -> None:
    row = known.get(notice.offer_id)
    if row is not None:
        row.removed_at = None
        return
    session.add(
        GoogleMessage(
            google_class_id=class_row_id,
            offer_id=notice.offer_id,
            message_id=notice.message_id,
            alerted=alerted,
            sent_at=now,
        )
    )


def _notices(new: Sequence[OfferView], programme: ProgrammeView, left: int, since: datetime) -> list[Notice]:
    """The newest may buzz first; what started before *since* (long ago, or before anybody held a card) is no news."""
    worth = [one for one in new if one.announce and one.starts_at >= since]
    alerting = {one.id for one in worth[-left:]} if left > 0 else set()
    return [_notice(one, programme, alert=one.id in alerting) for one in new]


def _notice(offer: OfferView, programme: ProgrammeView, *, alert: bool) -> Notice:
    def body(*, notify: bool) -> Body:
        return encode.message_body(face.message(offer, programme.language, notify=notify))

    return Notice(
        offer_id=offer.id,
        message_id=face.message_id(offer),
        silent=body(notify=False),
        alerting=body(notify=True) if alert else None,
    )


def _holds_more(answer: Answer, kept: Sequence[object]) -> bool:
    messages = answers.resource(answer).get("messages")
    return isinstance(messages, list) and len(messages) > len(kept)
