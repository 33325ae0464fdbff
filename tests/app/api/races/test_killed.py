"""kill -9 of a server between a card's lock and its commit: nothing is left behind, and the repeat books once."""

import http.client
import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import func, select

from app.cards.models import Card
from app.coupons.models import Coupon
from app.idempotency import RequestKey
from app.ledger.models import Account, Entry, Hold, Lot, LotUse, Posting
from app.rewards.models import Reward, Taking
from tests.app.api.races.house import NUMBERS, TIMES, House, line_of, process
from tests.app.api.races.test_money import gift_card
from tests.app.api.races.test_rewards import codes, reward

# under the card's lock: once its entry is written, and with everything else done
POINTS = ("sale.entry_written", "sale.before_commit")
COUNTED = (Entry, Posting, Lot, LotUse, Hold, Taking, RequestKey)

Request = tuple[str, dict[str, Any]]


@pytest.fixture(scope="module")
def doomed(running: House) -> Iterator[subprocess.Popen[str]]:
    with process("tests.app.api.races.doomed", running.url, str(running.folder)) as started:
        yield started


def killed(house: House, doomed: subprocess.Popen[str], point: str, request: Request, key: str) -> None:
    """Send a request to a server that ends at that point."""
    assert doomed.stdin is not None
    doomed.stdin.write(f"{point}\n")
    doomed.stdin.flush()
    port = int(line_of(doomed))
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        house.send(port, "POST", *request, key=key)
    assert int(line_of(doomed)) == -signal.SIGKILL


def everything(house: House) -> list[object]:
    """All that a movement changes, as numbers."""
    sums = [func.sum(Account.balance), func.sum(Card.version), func.sum(Card.seq), func.sum(Card.spent_minor),
            func.sum(Reward.used), func.sum(Reward.stock), func.count(Coupon.used_at)]  # fmt: skip
    with house.world.database.reading() as session:
        rows = [session.scalar(select(func.count()).select_from(table)) for table in COUNTED]
        return [*rows, *(session.scalar(select(one)) for one in sums)]


def earn(house: House) -> Request:
    return f"/cards/{house.card()}/earn", {"amount": "125.00", "receipt": f"K{next(NUMBERS)}"}


def redeem(house: House) -> Request:
    return f"/cards/{house.card(points=100)}/redeem", {"reward": reward(house, stock=1)}


def hold(house: House) -> Request:
    return f"/cards/{house.card(points=100)}/holds", {"reward": reward(house, stock=1)}


def capture(house: House) -> Request:
    path, body = hold(house)
    return f"/holds/{house.made(path, body)['id']}/capture", {}


def take_back(house: House) -> Request:
    card = house.card()
    sale = {"lines": [{"amount": "100.00", "quantity": 3}]}
    transaction = house.made(f"/cards/{card}/earn", sale)["transaction"]["id"]
    return f"/cards/{card}/returns", {"transaction": transaction, "lines": [{"number": 1, "quantity": 2}]}


def coupon(house: House) -> Request:
    return f"/cards/{house.card()}/redeem", {"coupon": codes(house)[1][0]}


def pay(house: House) -> Request:
    return f"/cards/{gift_card(house, '100.00')}/pay", {"amount": "60.00"}


@pytest.mark.parametrize("asked", [earn, redeem, hold, capture, take_back, coupon, pay])
def test_a_server_killed_between_lock_and_commit_leaves_nothing_behind(
    house: House, doomed: subprocess.Popen[str], asked: Callable[[House], Request]
) -> None:
    for turn in range(TIMES):
        request, key = asked(house), f"killed {next(NUMBERS)}"
        before = everything(house)

        killed(house, doomed, POINTS[turn % 2], request, key)

        assert everything(house) == before
        first, again = house.post(*request, key), house.post(*request, key)
        assert (first.outcome, first.headers.get("Idempotency-Replayed")) == ("201", None)
        assert (again.text, again.headers.get("Idempotency-Replayed")) == (first.text, "true")
