"""Google's channel for cards: one object each, written only where it differs from what Google last acknowledged."""

import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.clock import milliseconds
from app.outbox.claims import Claim, Claimed
from app.outbox.rules import Lane
from app.outbox.service import ensure_target
from app.wallets import view as views
from app.wallets.channel import Errand, Result
from app.wallets.google import face, saying, service
from app.wallets.google.client import GoogleClient, shared_client
from app.wallets.google.exchange import Exchange, Wanted, bring
from app.wallets.google.models import GoogleClass, GoogleObject
from app.wallets.google.notices import Told
from app.wallets.google.saying import News
from app.wallets.view import CardView
from app.world import World
from passes.errors import InvalidPass
from passes.google import answers, batch, encode, patch
from passes.google.answers import Answer
from passes.google.api import Request
from passes.google.ids import Kind, ResourceId
from passes.google.meaning import Meaning
from passes.outcome import Outcome

log = logging.getLogger(__name__)

UNCHANGED = "unchanged"
AT_ONCE = 4
UNSAVED_AFTER = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class ObjectErrand:
    """One object to bring up to date, which class it belongs to, and what is to be said on it.

    `unheld`: nobody would see it.
    """

    wanted: Wanted
    programme_id: int
    tier_id: int | None
    class_id: str
    news: News
    unheld: bool = False

    def first_request(self) -> Request | None:
        """What to ask first; None if there is nothing to ask."""
        return self.wanted.first_request() or self.said_first()

    def said_first(self) -> Request | None:
        """The message that is asked first where the object itself is as it should be."""
        if not self.news.new or self.news.must_drop or not self.wanted.certain:
            return None
        return self.news.new[0].request(self.wanted)


class GoogleChannel:
    """Channel `google`: a target's address is a google_object row."""

    name = "google"

    def __init__(self, world: World, client: GoogleClient | None = None) -> None:
        self.world = world
        self.client = client or shared_client(world)
        self.at = face.place(world.settings)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="google")

    def credential(self, sender_name: str) -> str:  # noqa: ARG002  one account serves every issuer we have
        """A digest of the key file, so that a stopped sender notices a new one."""
        path = self.world.settings.google_credentials
        try:
            return f"{path.stat().st_mtime_ns}" if path else ""
        except OSError:
            return "missing"

    def prepare(self, session: Session, claim: Claim, *, now: datetime) -> list[Errand]:
        """Read cards and objects for a batch; the card's version first, so that it is never newer than its face."""
        cards = views.card_views(session, [one.card_id for one in claim.rows if one.card_id], now)
        ids = [one.address_id for one in claim.rows]
        objects = {one.id: one for one in session.scalars(select(GoogleObject).where(GoogleObject.id.in_(ids)))}
        spent = service.object_alerts(session, ids, now=now)
        programmes = {card.programme.id for card in cards.values()}
        pictures = {one: service.picture_addresses(session, one, self.at.base_url) for one in programmes}
        errands = []
        for target in claim.rows:
            card, known = cards.get(target.card_id or 0), objects.get(target.address_id)
            if card is not None and known is not None:
                alerts = spent.get(known.id, service.NO_ALERTS)
                may_alert = alerts.left_for_balances(is_at_till=claim.lane is Lane.URGENT) > 0
                payload = self._payload(card, known, pictures[card.programme.id], target, alert=may_alert)
                payload = replace(payload, news=saying.news(card, known, left=alerts.left_for_news, now=now))
                if claim.lane is not Lane.URGENT and card.is_valid and _nobody_holds(known, now):
                    payload = replace(payload, unheld=True)
                errands.append(Errand(claim, target, card.version, payload))
        return errands

    def push(self, errands: Sequence[Errand]) -> list[Result]:
        """Send them one by one, no faster than the pace allows, or together where Google counts that as one call."""
        if len(errands) > 1 and self._one_call_for_all(errands[0].claim):
            return self._push_together(errands)
        pause_s = 1 / self.world.settings.google_rate
        running = []
        for number, one in enumerate(errands):
            if number:
                time.sleep(pause_s)
            if milliseconds(self.world.clock()) >= one.claim.send_until_ms:
                break
            running.append(self._threads.submit(self._push_one, one))
        return [one.result() for one in running]

    def settled(self, session: Session, results: Sequence[Result], *, now: datetime) -> None:
        """Keep the bodies that Google acknowledged, and the alerts that were spent."""
        acknowledged: dict[int, dict[str, Any]] = {}
        for result in results:
            errand_, facts = result.errand, result.facts
            row_id = errand_.target.address_id
            if facts.get("muted") or facts.get("alerted"):
                count = service.ALERTS_MAX if facts.get("muted") else 1
                service.spend_alert(session, scope="object", scope_id=row_id, budget="field", now=now, count=count)
            if "sent" in facts:
                body = facts["sent"]
                acknowledged[row_id] = {
                    "id": row_id,
                    "sent": body,
                    "sent_hash": patch.fingerprint(body),
                    "has_users": facts.get("has_users"),
                }
            if "class" in facts:
                ensure_class(session, facts["class"], errand_.claim.sender.id, now=now)
        if acknowledged:
            session.execute(update(GoogleObject), [acknowledged[one] for one in sorted(acknowledged)])
        said = [(one.errand, one.facts["told"]) for one in results if "told" in one.facts]
        saying.settled(session, [(one.target, one.payload.news, told) for one, told in said], now=now)

    def _payload(
        self, card: CardView, known: GoogleObject, pictures: dict[str, str], target: Claimed, *, alert: bool
    ) -> ObjectErrand:
        object_ = face.loyalty_object(card, id=ResourceId.parse(known.object_id), at=self.at)
        class_ = face.loyalty_class(card.programme, card.tier, pictures, at=self.at)
        wanted = Wanted(
            kind=Kind.LOYALTY_OBJECT,
            body=encode.body(object_),
            sent=known.sent,
            certain=target.attempts == 1,
            alert=alert and card.is_valid,
            class_body=encode.body(class_),
            given_up=not card.is_valid and known.holders == 0 and known.has_users is not True,
        )
        return ObjectErrand(
            wanted=wanted,
            programme_id=card.programme.id,
            tier_id=card.tier.id if card.tier else None,
            class_id=str(class_.id),
            news=saying.NOTHING,
        )

    def _one_call_for_all(self, claim: Claim) -> bool:
        return self.world.settings.google_batch_weight == "one" and claim.lane is not Lane.URGENT

    def _push_together(self, errands: Sequence[Errand]) -> list[Result]:
        """Ask what each errand asks first in one call; whatever is still to do after that is done one by one."""
        asking: list[tuple[Errand, Request]] = []
        results: list[Result] = []
        for one in errands:
            try:
                request = None if one.payload.unheld else one.payload.first_request()
            except InvalidPass:
                request = None
            if request is None:
                results.append(self._push_one(one))
            else:
                asking.append((one, request))
        for start in range(0, len(asking), batch.CALLS_MAX):
            some = asking[start : start + batch.CALLS_MAX]
            found = self.client.call_together([(request, one.payload.wanted.given_up) for one, request in some])
            if found is None:
                log.error("Google has no batch endpoint here: set TESSERA_GOOGLE_BATCH_WEIGHT to each")
            known: Sequence[Answer | None] = found or [None] * len(some)
            results += [self._push_one(one, answer) for (one, _), answer in zip(some, known, strict=True)]
        return results

    def _push_one(self, one: Errand, answered: Answer | None = None) -> Result:
        payload: ObjectErrand = one.payload
        if payload.unheld:
            return Result(errand=one, outcome=Outcome.DELIVERED, reason=UNCHANGED)
        try:
            done, said = self._bring(payload, answered)
        except InvalidPass as problem:
            return Result(errand=one, outcome=Outcome.REFUSED, reason=f"Google would refuse this card: {problem}")
        facts: dict[str, Any] = {"alerted": done.alerted, "muted": done.muted}
        if done.delivered and done.answer is not None:
            facts["sent"] = payload.wanted.body
            facts["has_users"] = answers.has_users(done.read)
        before = payload.wanted.sent or {}
        if done.delivered and before.get("classId") != payload.class_id:
            facts["class"] = (payload.programme_id, payload.tier_id, payload.class_id)
        told = Told(exchange=replace(done))
        if done.delivered and payload.news.is_anything:
            saying.say(self.client, payload.wanted, payload.news, told, given=said, now=self.world.clock())
            facts["told"] = told
        return result_of(self.client, one, told.exchange, {"calls": told.exchange.calls, **facts})

    def _bring(self, payload: ObjectErrand, answered: Answer | None) -> tuple[Exchange, Answer | None]:
        """The object itself; and what was answered already to its first message, if that was asked instead."""
        if answered is not None and payload.wanted.first_request() is None:
            return Exchange(), answered
        return bring(self.client, payload.wanted, answered=answered), None


def result_of(client: GoogleClient, one: Errand, done: Exchange, facts: dict[str, Any]) -> Result:
    """What became of an errand, in the words of delivery."""
    answer = done.answer
    if answer is None:
        return Result(errand=one, outcome=Outcome.DELIVERED, reason=UNCHANGED, facts=facts)
    if answer.meaning is Meaning.RATE:
        facts["rate_limited"] = True
    reason = answer.reason or answer.message
    if done.drifted:
        log.error("Google holds something else than was sent", extra={"paths": done.drifted, "target": one.target.id})
        reason = f"accepted, but differs: {', '.join(done.drifted)}"
    return Result(
        errand=one,
        outcome=answer.outcome,
        status=answer.status,
        reason=reason or answer.meaning.value,
        retry_after_s=answer.retry_after_s,
        breaker=client.words_for_breaker(answer),
        took_ms=done.took_ms,
        facts=facts,
    )


def ensure_class(session: Session, of: tuple[int, int | None, str], sender_id: int, *, now: datetime) -> GoogleClass:
    """The row of a class that cards stand on, and the target by which it is kept up to date."""
    programme_id, tier_id, class_id = of
    row = service.class_row(session, programme_id=programme_id, tier_id=tier_id, class_id=class_id, now=now)
    ensure_target(
        session, channel="google_class", sender_id=sender_id, card_id=None, address_id=row.id, want=1, done=0,
        now_ms=milliseconds(now),
    )  # fmt: skip
    return row


def _nobody_holds(known: GoogleObject, now: datetime) -> bool:
    """Whether the object was taken out of every wallet, or never saved within a day of being made.

    What is not written is made good when it is saved again. Changes at a till are written all the same, because a
    callback may be lost.
    """
    gone = known.saved_at is not None or known.created_at < now - UNSAVED_AFTER
    return known.sent is not None and known.holders == 0 and known.has_users is False and gone
