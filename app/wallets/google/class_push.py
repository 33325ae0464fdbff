"""Google's channel for classes: the shared face of a tier, with the offers that reach every holder through it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.clock import milliseconds
from app.offers.models import Offer
from app.outbox.claims import Claim, Claimed
from app.wallets import view as views
from app.wallets.channel import Errand, Result
from app.wallets.google import face, notices, service, vehicles
from app.wallets.google.exchange import Wanted, bring
from app.wallets.google.models import GoogleClass, GoogleMessage
from app.wallets.google.notices import Notice, Told
from app.wallets.google.push import GoogleChannel, result_of
from app.wallets.google.vehicles import Vehicle
from app.wallets.view import OfferView, ProgrammeView
from passes.errors import InvalidPass
from passes.google import encode, patch
from passes.google.ids import Kind
from passes.google.schema import Body
from passes.outcome import Outcome

log = logging.getLogger(__name__)

KIND = Kind.LOYALTY_CLASS
NEWS_FOR = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True)
class ClassErrand:
    """A class to bring up to date. `kept` are on it and stay, `ended` (offer ids) go, `new` are to come."""

    wanted: Wanted
    kept: tuple[Notice, ...]
    ended: tuple[int, ...]
    new: tuple[Notice, ...]


@dataclass(kw_only=True)
class Progress(Told):
    """What was achieved, of the face as well."""

    class_sent: bool = False


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
        offers = _offers(session, programme, now)
        body = encode.body(face.loyalty_class(programme, tier, pictures, at=self._objects.at, offers=offers))
        live = [one for one in offers if one.starts_at <= now and _is_told_here(one, row.tier_id)]
        on_class = {
            one.offer_id
            for one in session.scalars(
                select(GoogleMessage).where(GoogleMessage.google_class_id == row.id, GoogleMessage.removed_at.is_(None))
            )
        }
        newest = sorted(live, key=lambda one: one.starts_at, reverse=True)[: vehicles.MESSAGES_MAX]
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
        kept = [one.silent["message"] for one in payload.kept]
        if payload.ended and not notices.keep_only(self._client, payload.wanted, kept, progress):
            return progress
        notices.add_all(self._client, payload.wanted, payload.new, progress)
        return progress

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
    row = known.get(notice.key or 0)
    if row is not None:
        row.removed_at = None
        return
    session.add(
        GoogleMessage(
            google_class_id=class_row_id,
            offer_id=notice.key,
            message_id=notice.message_id,
            alerted=alerted,
            sent_at=now,
        )
    )


def _offers(session: Session, programme: ProgrammeView, now: datetime) -> list[OfferView]:
    """The offers that classes show: live ones, and those to come, which Google opens and closes by itself."""
    query = select(Offer).where(
        Offer.programme_id == programme.id,
        Offer.state.in_(("live", "scheduled")),
        Offer.audience == "all",
        Offer.ends_at > now,
    )
    found = [views.offer_view(one, programme.currency) for one in session.scalars(query.order_by(Offer.starts_at))]
    return [one for one in found if not one.is_told or one.starts_at <= now]


def _is_told_here(offer: OfferView, tier_id: int | None) -> bool:
    return vehicles.of_offer(offer) is Vehicle.CLASS_MESSAGE and face.is_for(offer, tier_id)


def _notices(new: Sequence[OfferView], programme: ProgrammeView, left: int, since: datetime) -> list[Notice]:
    """The newest may buzz first; what started before *since* (long ago, or before anybody held a card) is no news."""
    worth = [one for one in new if one.starts_at >= since]
    alerting = {one.id for one in worth[-left:]} if left > 0 else set()
    return [_notice(one, programme, alert=one.id in alerting) for one in new]


def _notice(offer: OfferView, programme: ProgrammeView, *, alert: bool) -> Notice:
    def body(*, notify: bool) -> Body:
        return encode.message_body(face.message(offer, programme.language, notify=notify))

    return Notice(
        key=offer.id,
        message_id=face.message_id(offer),
        ends_at=offer.ends_at,
        silent=body(notify=False),
        alerting=body(notify=True) if alert else None,
    )
