"""Messages on a class or an object at Google: added once, whatever becomes of an answer, and taken off at their end."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.wallets.google.client import GoogleClient
from app.wallets.google.exchange import Exchange, Wanted
from passes.google import answers, api
from passes.google.answers import Answer, Step
from passes.google.api import Request
from passes.google.schema import Body
from passes.outcome import Outcome

MESSAGES = "messages"


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A message, once without and once with the alert; `alerting` is None where it may not sound.

    `key` is its sender's own. `is_owed`: it was to sound, and only the budget of alerts keeps it from that.
    """

    key: int | None
    message_id: str
    ends_at: datetime
    silent: Body
    alerting: Body | None
    is_owed: bool = False

    def request(self, wanted: Wanted) -> Request:
        """The call that adds it."""
        return api.add_message(wanted.kind, wanted.id, self.alerting or self.silent)


@dataclass(kw_only=True)
class Told:
    """What was achieved, step by step; it is kept even if a later step fails. `added`: with or without a sound."""

    exchange: Exchange
    removed: bool = False
    added: list[tuple[Notice, bool]] = field(default_factory=list)
    muted: bool = False


def ask(client: GoogleClient, told: Told, request: Request, given: Answer | None = None) -> Answer:
    """One call; its answer is the last of the exchange. *given*: the answer, if that was asked already, in a batch."""
    answer = client.call(request) if given is None else given
    told.exchange.answer = answer
    told.exchange.calls += 1
    return answer


def add_all(
    client: GoogleClient, wanted: Wanted, notices: Sequence[Notice], told: Told, *, given: Answer | None = None
) -> None:
    """Add messages one after the other, and stop at the first that does not get through.

    After an uncertain try Google is asked first what is there: adding a message again would sound again.
    """
    there: set[str] = set()
    if notices and not wanted.certain:
        found = answers.resource(ask(client, told, api.get(wanted.kind, wanted.id)))
        there = {one.message_id for one in notices if answers.has_message(found, one.message_id)}
    for notice in notices:
        if notice.message_id in there:
            told.added.append((notice, notice.alerting is not None))
        elif not _add(client, wanted, notice, told, given):
            return
        given = None


def keep_only(client: GoogleClient, wanted: Wanted, kept: Sequence[object], told: Told) -> bool:
    """Write the list without what is over. An empty list in a patch may mean "leave it": then write everything."""
    changes: Body = {MESSAGES: list(kept)}
    if "reviewStatus" in wanted.body:
        changes["reviewStatus"] = wanted.body["reviewStatus"]
    answer = ask(client, told, api.patch(wanted.kind, wanted.id, changes))
    if answer.outcome is Outcome.DELIVERED and len(_messages(answers.resource(answer))) > len(kept):
        whole = {**wanted.body, **({MESSAGES: list(kept)} if kept else {})}
        answer = ask(client, told, api.update(wanted.kind, wanted.id, whole))
    told.removed = answer.outcome is Outcome.DELIVERED
    return told.removed


def drop(
    client: GoogleClient, wanted: Wanted, gone: Callable[[str], bool], told: Told, *, now: datetime, room: int
) -> bool:
    """Take off what is *gone* (by id) or over, and the oldest until there is *room*; whether that is so now."""
    answer = ask(client, told, api.get(wanted.kind, wanted.id))
    if answer.outcome is not Outcome.DELIVERED:
        return False
    found = _messages(answers.resource(answer))
    kept = [one for one in found if not gone(str(one.get("id"))) and not _is_over(one, now)]
    kept = kept[max(0, len(kept) - room) :] if room else []
    return True if len(kept) == len(found) else keep_only(client, wanted, kept, told)


def still_known(
    known: Collection[Mapping[str, Any]], told: Told, gone: Callable[[str], bool], now: datetime
) -> list[Mapping[str, Any]]:
    """What is known to stand on a resource: its messages with their ends, in epoch milliseconds."""
    now_ms = now.timestamp() * 1000
    left: list[Mapping[str, Any]] = [
        one for one in known if not told.removed or (one["ends"] > now_ms and not gone(str(one["id"])))
    ]
    added = [
        {"id": notice.message_id, "ends": int(notice.ends_at.timestamp() * 1000)}
        for notice, _ in told.added
        if all(one["id"] != notice.message_id for one in left)
    ]
    return [*left, *added]


def _add(client: GoogleClient, wanted: Wanted, notice: Notice, told: Told, given: Answer | None) -> bool:
    request = notice.request(wanted)
    answer = ask(client, told, request, given)
    if answer.step is Step.REPEAT_SILENTLY:
        told.muted = True
        request = api.silently(request)
        answer = ask(client, told, request)
    if answer.step is Step.LOOK_FOR_MESSAGE:
        looked = client.call(api.get(wanted.kind, wanted.id))
        told.exchange.calls += 1
        if not answers.has_message(answers.resource(looked), notice.message_id):
            return False
        told.exchange.answer = answer = looked
    if answer.outcome is not Outcome.DELIVERED:
        return False
    told.added.append((notice, request.alerts))
    return True


def _messages(resource: Body) -> list[Any]:
    found = resource.get(MESSAGES)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _is_over(message: Body, now: datetime) -> bool:
    interval: Any = message.get("displayInterval")
    end = interval.get("end") if isinstance(interval, dict) else None
    try:
        return end is not None and datetime.fromisoformat(str(end["date"])) <= now
    except (KeyError, TypeError, ValueError):
        return False  # none of ours
