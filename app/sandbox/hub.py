"""The air between APNs and the phones: who is reachable, and the one notification kept for who is not."""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Self

from app.sandbox.state import State

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Push:
    """One notification as APNs accepted it. Wallet's are empty: look again for that pass type (topic)."""

    topic: str
    token: str
    apns_id: str
    push_type: str | None = None
    priority: int = 10
    expires_at: int | None = None  # epoch seconds; None keeps it, 0 is one attempt
    accepted_at: float = 0.0


Listener = Callable[[str], None]  # is given the topic


class Subscription:
    """A phone that is switched on; `close()` (or the end of `with`) switches it off."""

    def __init__(self, hub: "Hub", token: str, callback: Listener) -> None:
        self.token = token
        self.callback = callback
        self._hub = hub

    def close(self) -> None:
        self._hub._leave(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Hub:
    """Delivers to the phones that are on and keeps one notification per (topic, token) for those that are off."""

    def __init__(self, state: State, clock: Callable[[], float] = time.time) -> None:
        self._lock = threading.RLock()
        self._state = state
        self._clock = clock
        self._known: dict[str, float] = state.load("token")
        self._gone: dict[str, float] = state.load("gone-token")
        self._listeners: dict[str, list[Subscription]] = {}
        self._kept: dict[tuple[str, str], Push] = {
            (push["topic"], push["token"]): Push(**push) for push in state.load("kept-push").values()
        }

    def register(self, token: str) -> None:
        """Make *token* (hex) one that APNs has handed out. Known across a restart; again is harmless."""
        token = token.lower()
        with self._lock:
            if token in self._known:
                return
            self._known[token] = self._clock()
            self._state.put("token", token, self._known[token])
            if self._gone.pop(token, None) is not None:
                self._state.drop("gone-token", token)

    def unsubscribe(self, token: str) -> None:
        """Take *token* back, as when Wallet leaves the phone: from now on pushes to it are 410 Unregistered."""
        token = token.lower()
        with self._lock:
            self._known.pop(token, None)
            self._gone[token] = self._clock()
            self._state.drop("token", token)
            self._state.put("gone-token", token, self._gone[token])
            for key in [key for key in self._kept if key[1] == token]:
                self._unkeep(key)

    def knows(self, token: str) -> bool:
        return token in self._known

    def is_on(self, token: str) -> bool:
        """Whether a phone with that token would hear a push now."""
        return token.lower() in self._listeners

    def gone_at(self, token: str) -> float | None:
        """Epoch seconds at which the token was taken back, or None."""
        return self._gone.get(token)

    def subscribe(self, token: str, callback: Listener) -> Subscription:
        """Switch the phone with *token* on: registers it, hands over what was kept, then the topic of every push.

        Closing the subscription switches the phone off: APNs keeps one push per topic until the next `subscribe`.
        The callback runs on the APNs thread (kept ones: on the caller's), under the hub's lock, and must return at
        once: `queue.put` is right.
        """
        self.register(token)
        subscription = Subscription(self, token.lower(), callback)
        with self._lock:
            self._listeners.setdefault(subscription.token, []).append(subscription)
            for push in [self._unkeep(key) for key in list(self._kept) if key[1] == subscription.token]:
                if push.expires_at is None or push.expires_at > self._clock():
                    _tell(subscription, push)
        return subscription

    def publish(self, push: Push) -> bool:
        """Deliver, or keep for later in place of an older one. True if a phone had it at once."""
        with self._lock:
            listeners = list(self._listeners.get(push.token, ()))
            if not listeners and push.expires_at != 0:
                self._kept[(push.topic, push.token)] = push
                self._state.put("kept-push", f"{push.topic} {push.token}", asdict(push))
            for subscription in listeners:  # under the lock: a phone that leaves now has either this push or none
                _tell(subscription, push)
        return bool(listeners)

    def wait(self, token: str, timeout_s: float) -> list[str]:
        """Be that phone for at most *timeout_s*: the topics kept, or that of the next push; [] if nothing came."""
        inbox: queue.Queue[str] = queue.Queue()
        topics: list[str] = []
        with self.subscribe(token, inbox.put), contextlib.suppress(queue.Empty):
            topics.append(inbox.get(timeout=timeout_s))
        while not inbox.empty():
            topics.append(inbox.get_nowait())
        return topics

    @property
    def kept(self) -> list[Push]:
        with self._lock:
            return list(self._kept.values())

    @property
    def tokens(self) -> list[str]:
        with self._lock:
            return list(self._known)

    def reset(self) -> None:
        """Forget every token and kept push; phones that are on stay on and known."""
        with self._lock:
            self._known = {token: self._clock() for token, listeners in self._listeners.items() if listeners}
            self._gone.clear()
            self._kept.clear()
            for kind in ("token", "gone-token", "kept-push"):
                self._state.clear(kind)
            for token, at in self._known.items():
                self._state.put("token", token, at)

    def _unkeep(self, key: tuple[str, str]) -> Push:
        self._state.drop("kept-push", f"{key[0]} {key[1]}")
        return self._kept.pop(key)

    def _leave(self, subscription: Subscription) -> None:
        with self._lock:
            listeners = self._listeners.get(subscription.token, [])
            if subscription in listeners:
                listeners.remove(subscription)
            if not listeners:
                self._listeners.pop(subscription.token, None)


def _tell(subscription: Subscription, push: Push) -> None:
    try:
        subscription.callback(push.topic)
    except Exception:  # a phone's fault must not take APNs down
        log.exception("a phone could not take a push")
