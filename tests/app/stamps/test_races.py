"""Several tills at once with one card, and random histories, on both databases."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from app.errors import AppError, Busy
from app.world import World
from tests.app.stamps import histories
from tests.app.stamps.bench import Bench

THREADS = 10


def at_once(work: Callable[[], object], times: int) -> Counter[str]:
    """What came of doing it so often at once; who found no turn asks again."""

    def one(_number: int) -> str:
        while True:
            try:
                work()
            except Busy:
                continue
            except AppError as refusal:
                return refusal.code
            return "done"

    with ThreadPoolExecutor(THREADS) as pool:
        return Counter(pool.map(one, range(times)))


def test_every_tap_of_two_tills_counts_once(any_world: World) -> None:
    bench = Bench(any_world, cool_down_min=0)

    outcomes = at_once(lambda: bench.stamp(3), 20)

    assert outcomes == {"done": 20}
    assert bench.stands() == (0, 6, 0)


def test_one_reward_asked_for_fifty_times_is_used_once(any_world: World) -> None:
    bench = Bench(any_world)
    bench.stamp(12)

    outcomes = at_once(bench.use, 50)

    assert outcomes == {"done": 1, "already_used": 49}
    assert bench.stands() == (2, 0, 0)


def test_a_visit_undone_by_many_at_once_is_undone_once(any_world: World) -> None:
    bench = Bench(any_world)
    bench.stamp(8)
    visit = bench.stamp(4)

    outcomes = at_once(lambda: bench.undo(visit.entry), 10)

    assert outcomes == {"done": 1, "already_reversed": 9}
    assert bench.stands() == (8, 0, 0)


def test_one_receipt_of_many_tills_at_once_stamps_once(any_world: World) -> None:
    bench = Bench(any_world)

    outcomes = at_once(lambda: bench.stamp(2, receipt="R1"), 10)

    assert outcomes == {"done": 1, "duplicate_receipt": 9}
    assert bench.stands() == (2, 0, 0)


def test_random_histories_come_to_what_was_not_undone(any_world: World) -> None:
    assert histories.run(any_world.database, histories=4, steps=40, seed=4) == []
