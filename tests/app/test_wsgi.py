"""Where the web processes run."""

import os
import subprocess
import sys

import pytest

from app.wsgi import least_given

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processors are chosen on Linux alone")
TAKE_ONE = "import os, app.wsgi; app.wsgi.stay_on_one_processor(); print(*os.sched_getaffinity(0))"


def processors_of_a_web_process() -> list[int]:
    done = subprocess.run([sys.executable, "-c", TAKE_ONE], capture_output=True, text=True, timeout=60, check=True)
    return [int(one) for one in done.stdout.split()]


def test_a_web_process_stays_on_one_of_the_processors_that_it_may_use() -> None:
    assert len(processors_of_a_web_process()) == 1
    assert set(processors_of_a_web_process()) <= os.sched_getaffinity(0)


@pytest.mark.parametrize("kept", sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else [])
def test_an_operators_own_choice_of_one_processor_stands(kept: int) -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {kept})  # of this thread, which the process inherits
    try:
        assert processors_of_a_web_process() == [kept]
    finally:
        os.sched_setaffinity(0, before)


def test_web_processes_spread_over_the_processors() -> None:
    given: dict[int, int] = {2: 1}
    for _ in range(5):
        chosen = least_given({0, 1, 2}, given)
        given[chosen] = given.get(chosen, 0) + 1

    assert sorted(given.items()) == [(0, 2), (1, 2), (2, 2)]
