import threading
import time
from collections.abc import Iterator

import pytest

from app.delivery.hints import HintSender
from app.outbox.rules import Lane


class Post:
    """Where hints arrive; can be told to refuse or to hang, as a broker does."""

    def __init__(self) -> None:
        self.arrived: list[tuple[str, Lane, float]] = []
        self.refuses = False
        self.open = threading.Event()
        self.open.set()

    def __call__(self, channel: str, lane: Lane) -> None:
        self.open.wait(10)
        if self.refuses:
            raise ConnectionError("connection refused")
        self.arrived.append((channel, lane, time.monotonic()))

    def wait_for(self, count: int, within_s: float = 15) -> bool:
        end = time.monotonic() + within_s
        while time.monotonic() < end and len(self.arrived) < count:
            time.sleep(0.01)
        return len(self.arrived) >= count


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def sender(post: Post) -> Iterator[HintSender]:
    made = HintSender(post)
    made.start()
    yield made
    post.open.set()
    made.stop()


def test_a_hint_after_a_commit_is_held_until_its_row_is_due(post: Post, sender: HintSender) -> None:
    committed = time.monotonic()

    sender.after_commit([("apple", Lane.URGENT)])

    assert post.wait_for(1)
    [(channel, lane, at)] = post.arrived
    assert (channel, lane) == ("apple", Lane.URGENT)
    assert at - committed >= 1.0


def test_a_hint_about_what_is_due_leaves_before_those_that_are_held(post: Post, sender: HintSender) -> None:
    sender.after_commit([("apple", Lane.URGENT)])
    sender.now("google", Lane.BULK)

    assert post.wait_for(2)
    assert [channel for channel, _, _ in post.arrived] == ["google", "apple"]


def test_many_changes_are_few_hints(post: Post, sender: HintSender) -> None:
    for _ in range(1_000):
        sender.now("apple", Lane.URGENT)

    assert post.wait_for(1)
    time.sleep(0.3)

    # at most one for each twentieth of a second that the thousand calls took
    assert len(post.arrived) <= 20


def test_a_lane_gets_at_most_twenty_hints_a_second_however_many_channels_hint(post: Post, sender: HintSender) -> None:
    for number in range(10):
        sender.now(f"channel-{number}", Lane.URGENT)

    assert post.wait_for(10)
    assert len({channel for channel, _, _ in post.arrived}) == 10
    assert post.arrived[-1][2] - post.arrived[0][2] >= 9 * 0.05 * 0.99


def test_a_broker_that_hangs_holds_nobody_up(post: Post, sender: HintSender) -> None:
    post.open.clear()
    called = threading.Event()

    def commit_often() -> None:
        for _ in range(100):
            sender.now("apple", Lane.URGENT)
            sender.after_commit([("google", Lane.NORMAL)])
        called.set()

    threading.Thread(target=commit_often, daemon=True).start()

    assert called.wait(10)


def test_hints_that_a_dead_broker_refuses_are_dropped_and_counted_and_later_ones_arrive(
    post: Post, sender: HintSender
) -> None:
    post.refuses = True
    sender.now("apple", Lane.URGENT)
    end = time.monotonic() + 15
    while time.monotonic() < end and not (counts := sender.counts()):
        time.sleep(0.01)
    assert counts["failed"] == 1
    assert post.arrived == []

    post.refuses = False
    sender.now("apple", Lane.URGENT)

    assert post.wait_for(1)
    assert sender.counts()["sent"] == 1
