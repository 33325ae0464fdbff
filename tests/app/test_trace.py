"""A trace's name tells when it began."""

import time
import uuid

import pytest

from app import trace


def test_a_name_of_ours_tells_its_moment_and_is_a_uuid() -> None:
    before = int(time.time() * 1000)
    name = trace.begin()
    after = int(time.time() * 1000)

    moment_ms = trace.moment_ms(name)

    assert moment_ms is not None
    assert before <= moment_ms <= after
    assert (uuid.UUID(name).version, uuid.UUID(name).variant) == (7, uuid.RFC_4122)
    assert trace.current() == name


def test_later_names_sort_later_and_none_comes_twice() -> None:
    names = []
    for _ in range(50):
        names.append(trace.begin())
        time.sleep(0.001)

    assert names == sorted(names)
    assert len(set(names)) == 50


@pytest.mark.parametrize("text", ["", "x", "7" * 32, "5f0a9d52-3c1e-4b7a-9a60-2d1c7e8f4b13", "ıı", "\x00"])
def test_what_we_did_not_name_has_no_moment(text: str) -> None:
    assert trace.moment_ms(text) is None
