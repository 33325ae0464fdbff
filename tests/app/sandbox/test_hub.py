"""Who hears a push, what is kept for whom, and what outlives a restart."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.sandbox.hub import Hub, Push
from app.sandbox.state import State

TOKEN = "ab" * 32


class World:
    def __init__(self, folder: Path) -> None:
        self.now = time.time()
        self.file = folder / "state.db"
        self.state = State(self.file)
        self.hub = Hub(self.state, lambda: self.now)

    def restart(self) -> None:
        self.state.close()
        self.state = State(self.file)
        self.hub = Hub(self.state, lambda: self.now)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.state.close()


def push(topic: str = "pass.a", *, expires_at: int | None = None) -> Push:
    return Push(topic=topic, token=TOKEN, apns_id="1", expires_at=expires_at)


def test_one_push_for_each_topic_is_kept_over_a_restart(world: World) -> None:
    world.hub.register(TOKEN)
    for topic in ("pass.a", "pass.b", "pass.a"):
        assert world.hub.publish(push(topic)) is False

    world.restart()

    assert world.hub.knows(TOKEN)
    assert sorted(world.hub.wait(TOKEN, timeout_s=0)) == ["pass.a", "pass.b"]
    assert world.hub.wait(TOKEN, timeout_s=0) == []


def test_a_kept_push_is_dropped_when_its_time_is_over(world: World) -> None:
    world.hub.publish(push(expires_at=int(world.now) + 10))
    world.now += 11

    assert world.hub.wait(TOKEN, timeout_s=0) == []


def test_a_phone_that_fails_does_not_keep_others_from_hearing(world: World) -> None:
    heard: list[str] = []

    def broken(_topic: str) -> None:
        raise RuntimeError("out of battery")

    with world.hub.subscribe(TOKEN, broken), world.hub.subscribe(TOKEN.upper(), heard.append):
        assert world.hub.publish(push()) is True

    assert heard == ["pass.a"]
    assert not world.hub.is_on(TOKEN)


def test_a_retired_token_stays_retired_until_it_is_handed_out_again(world: World) -> None:
    world.hub.register(TOKEN)
    world.hub.publish(push())
    world.hub.unsubscribe(TOKEN)

    world.restart()

    assert world.hub.gone_at(TOKEN) == world.now
    assert world.hub.kept == []
    world.hub.register(TOKEN)
    assert world.hub.gone_at(TOKEN) is None


def test_a_reset_leaves_phones_that_are_on(world: World) -> None:
    world.hub.register("cd" * 32)

    with world.hub.subscribe(TOKEN, lambda _topic: None):
        world.hub.reset()

        assert world.hub.tokens == [TOKEN]
