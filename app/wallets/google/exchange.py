"""Bringing one class or object at Google to the state that is wanted, whatever state it is in."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from app.wallets.google.client import GoogleClient
from passes.google import answers, api, drift, patch
from passes.google.answers import Answer, Step
from passes.google.api import Request
from passes.google.ids import Kind, ResourceId
from passes.google.meaning import Meaning
from passes.google.schema import Body
from passes.outcome import Outcome

STEPS_MAX = 6
MESSAGES = "messages"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The state to reach.

    `sent` is the body that Google last acknowledged, None if it never did; `certain` says that nothing can have changed
    it since, so that the difference is enough and an equal body needs no call. `class_body` is inserted if an object's
    class is missing. `given_up`: nobody wants the object any more, so its absence is no fault. `yielding`: if it is
    there already, whoever holds its lease brings it up to date, and this caller writes nothing.
    """

    kind: Kind
    body: Body
    sent: Body | None
    certain: bool
    alert: bool = False
    class_body: Body | None = None
    given_up: bool = False
    yielding: bool = False

    @property
    def id(self) -> ResourceId:
        return ResourceId.parse(str(self.body["id"]))

    def first_request(self) -> Request | None:
        """What to ask first; None if there is nothing to ask."""
        if self.sent is None:
            return api.insert(self.kind, self.body)
        changes = patch.difference(self.kind, self.sent, self.body, notify=self.alert)
        if not self.certain:
            changes = self.whole(alert=self.alert and patch.alerts(changes))
        return api.patch(self.kind, self.id, changes) if changes else None

    def whole(self, *, alert: bool = False) -> Body:
        """A patch that says everything, and clears what the last acknowledged body had beyond it."""
        dropped = dict.fromkeys(name for name in self.sent or {} if name not in self.body and name != MESSAGES)
        said = {name: value for name, value in self.body.items() if name != "id"}
        return {**dropped, **said, **({patch.NOTIFY: "NOTIFY_ON_UPDATE"} if alert else {})}


@dataclass(kw_only=True)
class Exchange:
    """What was said. `answer` is None when nothing had to be asked.

    `alerted`: phones buzzed. `muted`: the alert budget was used up. `drifted`: what Google holds otherwise than wanted.
    """

    answer: Answer | None = None
    calls: int = 0
    took_ms: int = 0
    alerted: bool = False
    muted: bool = False
    drifted: list[str] = field(default_factory=list)

    @property
    def delivered(self) -> bool:
        return self.answer is None or self.answer.outcome is Outcome.DELIVERED

    @property
    def read(self) -> Body:
        """The resource in the last answer."""
        return answers.resource(self.answer) if self.answer else {}


def bring(client: GoogleClient, wanted: Wanted, *, answered: Answer | None = None) -> Exchange:
    """Reach the wanted state: patch what differs, insert what is missing, repeat silently what may not buzz.

    Every accepted answer is compared with what was wanted; if it differs, the whole resource is written once.

    Args:
        answered: the answer to `wanted.first_request()`, if that was asked already, in a batch.

    Raises: InvalidPass, if Google would refuse the body.
    """
    done = Exchange()
    request = wanted.first_request()
    if request is None:
        return done
    ask = _asker(client, done, wanted.given_up, answered)
    for _ in range(STEPS_MAX):
        answer = ask(request)
        following = _next(ask, request, answer, wanted, done)
        if following is None:
            break
        request = following
    if done.delivered:
        done.alerted = request.alerts
        _mend(ask, wanted, request, done)
    return done


def _next(
    ask: Callable[[Request], Answer], request: Request, answer: Answer, wanted: Wanted, done: Exchange
) -> Request | None:
    match answer.step:
        case Step.REPEAT_SILENTLY:
            done.muted = True
            return api.silently(request)
        case Step.INSERT_OBJECT if not wanted.given_up:
            return api.insert(wanted.kind, wanted.body)
        case Step.INSERT_CLASS:
            if wanted.kind.is_class:
                return api.insert(wanted.kind, wanted.body)
            return request if _class_is_there(ask, wanted) else None
        case Step.PATCH if not wanted.yielding:
            return api.patch(wanted.kind, wanted.id, wanted.whole())
        case _:
            return None


def _class_is_there(ask: Callable[[Request], Answer], wanted: Wanted) -> bool:
    if wanted.class_body is None:
        return False
    answer = ask(api.insert(wanted.kind.class_kind, wanted.class_body))
    return answer.outcome is Outcome.DELIVERED or answer.meaning is Meaning.ALREADY_EXISTS


def _mend(ask: Callable[[Request], Answer], wanted: Wanted, request: Request, done: Exchange) -> None:
    differences = _differences(wanted, request, done.read)
    if not differences:
        return
    # classes keep their messages apart from the body, and a full write would wipe them
    repeat = api.patch(wanted.kind, wanted.id, wanted.whole())
    if not wanted.kind.is_class:
        messages = done.read.get(MESSAGES)
        repeat = api.update(wanted.kind, wanted.id, {**wanted.body, **({MESSAGES: messages} if messages else {})})
    ask(repeat)
    if done.delivered:
        done.drifted = _differences(wanted, repeat, done.read)


def _differences(wanted: Wanted, request: Request, read: Body) -> list[str]:
    sent_patch = request.body if request.operation == "patch" else None
    return [one.path for one in drift.drift(wanted.kind, wanted.body, read, patch=sent_patch)]


def _asker(
    client: GoogleClient, done: Exchange, given_up: bool, answered: Answer | None
) -> Callable[[Request], Answer]:
    known = [answered] if answered is not None else []

    def ask(request: Request) -> Answer:
        began = time.monotonic()
        done.answer = known.pop() if known else client.call(request, given_up=given_up)
        done.calls += 1
        done.took_ms += int((time.monotonic() - began) * 1000)
        return done.answer

    return ask
