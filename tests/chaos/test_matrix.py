"""Every crash point by name, with real processes on both databases: what is left behind, and that it mends itself.

Each test arms one named point in one process, makes it happen, sees the process die or freeze there, and goes on as
whoever supervises it would.
"""

import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from app.sandbox.apns.faults import Fault, FaultKind
from app.sandbox.apple_phone import ApplePhone
from app.sandbox.google_phone import GooglePhone
from tests.conftest import postgres_database
from tests.journeys.stage import Stage, balance_on, stage, wait_for

CURRENT_WITHIN_S = 240.0
ANSWER_WITHIN_S = 60.0
STEP_WITHIN_S = 120.0
LASTS_S = (12.0, 45.0, 180.0)  # an offer may be over before a busy machine has started its scheduler
WINDOWS = {  # what merges within them is not told here
    "TESSERA_WINDOW_URGENT_MS": "200",
    "TESSERA_WINDOW_NORMAL_MS": "500",
    "TESSERA_WINDOW_BULK_MS": "1000",
}


@dataclass
class Scene:
    """A running installation with two phones."""

    place: Stage
    iphone: ApplePhone
    android: GooglePhone
    interpreter: int = 0

    def card(self) -> "Holder":
        card = self.place.member(f"Member {uuid.uuid4().hex[:6]}")
        self.place.add_to_iphone(self.iphone, card)
        return Holder(self, card, self.place.add_to_android(self.android, card))

    def restart(self, role: str, failpoint: str = "") -> None:
        """End a process and start it again, armed or not."""
        if role == "web":
            self.place.product.wait_ready()  # a server killed while it starts its interpreter leaves that one behind
        if self.place.product.processes[role].poll() is None:
            self.place.product.processes[role].send_signal(signal.SIGCONT)
            self.place.product.kill(role)
        log = self.place.folder / f"{role}.log"
        started = log.read_text().count(f"{role} started")
        self.place.product.begin(role, TESSERA_FAILPOINT=failpoint)
        if role != "web":  # until it is there, the others do its work
            wait_for(lambda: log.read_text().count(f"{role} started") > started, STEP_WITHIN_S)
        else:
            self.interpreter = wait_for(self._interpreter_of_web)
            self.place.product.wait_ready()

    def _interpreter_of_web(self) -> int | None:
        """The web server's own process runs no Python of ours: it starts the one that does, again if it dies."""
        threads = Path(f"/proc/{self.place.product.processes['web'].pid}/task")
        children = [int(child) for one in threads.glob("*/children") for child in one.read_text().split()]
        return children[0] if children else None

    def mend(self) -> None:
        """Whatever the last test left behind: every process runs, none is frozen, and no second worker stands by."""
        if "worker-2" in self.place.product.processes:
            self.place.product.kill("worker-2")
            del self.place.product.processes["worker-2"]
        for role, process in list(self.place.product.processes.items()):
            process.send_signal(signal.SIGCONT)
            if process.poll() is not None:
                self.place.product.begin(role)
        self.place.product.wait_ready()

    def died(self, role: str) -> None:
        """The process ended at its point, by the signal that was ordered."""
        if role == "web":
            wait_for(lambda: not Path(f"/proc/{self.interpreter}/cmdline").exists(), STEP_WITHIN_S)
            return
        process = self.place.product.processes[role]
        wait_for(lambda: process.poll() is not None, STEP_WITHIN_S)
        assert process.returncode == -signal.SIGKILL

    def froze(self, role: str) -> None:
        """Every thread of the process stands still; one that does not yet may still be given a lock it waits for."""
        threads = Path(f"/proc/{self.place.product.processes[role].pid}/task")

        def still() -> bool:
            states = [one.read_text().rpartition(")")[2].split()[0] for one in threads.glob("*/stat")]
            return bool(states) and all(state == "T" for state in states)

        wait_for(still, STEP_WITHIN_S)

    def thaw(self, role: str) -> None:
        self.place.product.processes[role].send_signal(signal.SIGCONT)


@dataclass
class Holder:
    """A card on both phones."""

    scene: Scene
    card: dict[str, Any]
    object_id: str

    @property
    def number(self) -> str:
        return str(self.card["number"])

    def earn(self, points: int = 1, *, key: str | None = None) -> requests.Response | None:
        """One try at a sale; None if nobody answered."""
        api = self.scene.place.api
        try:
            return api.session.post(
                f"{api.base}/api/v1/cards/{self.number}/earn",
                json={"amount": f"{points * 10}.00"},
                headers={"Idempotency-Key": key or str(uuid.uuid4())},
                timeout=ANSWER_WITHIN_S,
            )
        except requests.RequestException:
            return None

    def balance(self) -> int:
        return int(self.scene.place.api.get(f"cards/{self.number}")["balance"])

    def pushes(self) -> int:
        token = self.scene.iphone.device.push_token
        return sum(1 for one in self.scene.place.sandbox.apns.requests if one.token == token)

    def is_current(self, points: int) -> bool:
        iphone, android = self.scene.iphone, self.scene.android
        return bool(
            iphone.shows(self.card["serial"], "balance") == points and balance_on(android, self.object_id) == points
        )

    def becomes_current(self, points: int) -> None:
        wait_for(lambda: self.is_current(points), CURRENT_WITHIN_S)
        assert self.balance() == points


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("matrix")
    with ExitStack() as held:
        url = f"sqlite:///{folder}/tessera.db"
        if request.param == "postgresql":
            url = held.enter_context(postgres_database(request.getfixturevalue("postgres")))
        place = held.enter_context(stage(folder, url, "web", "worker", "scheduler", environ=WINDOWS))
        yield Scene(place, place.iphone(), place.android())


@pytest.fixture(autouse=True)
def mended(scene: Scene) -> None:
    scene.mend()


@pytest.mark.parametrize("point", ["sale.begun", "sale.entry_written", "sale.before_commit", "sale.committed"])
def test_a_sale_that_dies_is_repeated_with_its_key_and_counts_once(scene: Scene, point: str) -> None:
    holder = scene.card()
    key = str(uuid.uuid4())
    scene.restart("web", f"{point}=kill")

    assert holder.earn(7, key=key) is None

    scene.died("web")
    scene.restart("web")
    assert holder.balance() == (7 if point == "sale.committed" else 0)
    answer = holder.earn(7, key=key)
    assert answer is not None
    assert answer.status_code == 201
    holder.becomes_current(7)


def test_a_worker_that_dies_holding_rows_is_replaced_and_every_phone_is_told(scene: Scene) -> None:
    """After the claim, after the send, and within the settling transaction: three deaths, then three cards to mend."""
    holders = []
    for point in ("claim.committed", "push.done", "settle.before_commit"):
        holder = scene.card()
        holder.earn(3)
        holder.becomes_current(3)
        scene.restart("worker", f"{point}=kill")
        holder.earn(4)
        scene.died("worker")
        holders.append(holder)

    scene.restart("worker")

    for holder in holders:
        holder.becomes_current(7)


def test_a_change_between_send_and_settle_is_sent_as_well(scene: Scene) -> None:
    holder = scene.card()
    points = change_behind_a_frozen_worker(scene, holder)

    scene.thaw("worker")

    holder.becomes_current(points)


def test_a_worker_that_froze_for_longer_than_its_lease_does_no_harm_when_it_wakes(scene: Scene) -> None:
    holder = scene.card()
    points = change_behind_a_frozen_worker(scene, holder)

    scene.place.product.begin("worker-2")
    holder.becomes_current(points)
    scene.thaw("worker")

    time.sleep(1)
    holder.becomes_current(points)
    scene.place.product.kill("worker-2")
    scene.restart("worker")
    holder.earn(1)
    holder.becomes_current(points + 1)


@pytest.mark.parametrize("kind", [FaultKind.SILENT, FaultKind.GOAWAY, FaultKind.DROP, FaultKind.LOST_ANSWER])
def test_a_vendor_that_breaks_off_is_asked_again(scene: Scene, kind: FaultKind) -> None:
    holder = scene.card()
    scene.place.sandbox.apns.script(Fault(kind=kind))

    holder.earn(2)

    holder.becomes_current(2)


def test_a_bulk_change_that_dies_within_a_chunk_touches_each_card_once(scene: Scene) -> None:
    holders = [scene.card() for _ in range(3)]
    before = {one.number: scene.place.api.get(f"cards/{one.number}")["version"] for one in holders}
    scene.restart("scheduler", "expand.before_commit=kill")

    with announced(scene, starts_in_s=0, ends_in_s=3600) as offer:
        scene.died("scheduler")
        scene.restart("scheduler")
        wait_for(lambda: shown_on(scene, holders, offer), CURRENT_WITHIN_S)
        for one in holders:
            assert scene.place.api.get(f"cards/{one.number}")["version"] == before[one.number] + 1


@pytest.mark.parametrize("point", ["fire.begun", "fire.before_commit"])
def test_a_scheduler_that_dies_at_an_offers_start_fires_it_once(scene: Scene, point: str) -> None:
    holder = scene.card()
    before = scene.place.api.get(f"cards/{holder.number}")["version"]
    scene.restart("scheduler", f"{point}=kill")

    with announced(scene, starts_in_s=1, ends_in_s=3600) as offer:
        scene.died("scheduler")
        scene.restart("scheduler")

        wait_for(lambda: shown_on(scene, [holder], offer), CURRENT_WITHIN_S)
        assert scene.place.api.get(f"cards/{holder.number}")["version"] == before + 1


def test_an_offer_whose_start_nobody_was_there_to_see_starts_late_and_ends(scene: Scene) -> None:
    holder = scene.card()
    assert any(starts_late_and_ends(scene, holder, lasts_s) for lasts_s in LASTS_S)


def test_a_registration_that_dies_is_repeated_by_the_phone_and_misses_nothing(scene: Scene) -> None:
    card = scene.place.member("Late Member")
    content = requests.get(card["links"]["apple"], timeout=ANSWER_WITHIN_S).content
    scene.restart("web", "register.before_commit=kill")

    scene.iphone.add(content)

    scene.died("web")
    scene.restart("web")
    Holder(scene, card, "").earn(9)
    wait_for(lambda: scene.iphone.shows(card["serial"], "balance") == 9, CURRENT_WITHIN_S)


def test_at_the_end_the_books_add_up(scene: Scene) -> None:
    assert "adds up" in scene.place.product.tessera("ledger", "verify")
    assert "whole" in scene.place.product.tessera("audit", "verify")


def starts_late_and_ends(scene: Scene, holder: Holder, lasts_s: float) -> bool:
    """Start an offer while no scheduler runs; False if it was over before it could be shown."""
    scene.place.product.kill("scheduler")
    with announced(scene, starts_in_s=1, ends_in_s=lasts_s) as offer:
        time.sleep(2)

        scene.restart("scheduler")

        end = time.monotonic() + lasts_s
        wait_for(lambda: shown_on(scene, [holder], offer) or time.monotonic() > end, CURRENT_WITHIN_S)
        was_shown = shown_on(scene, [holder], offer)
        wait_for(lambda: not shown_on(scene, [holder], offer), CURRENT_WITHIN_S)
        return was_shown


def change_behind_a_frozen_worker(scene: Scene, holder: Holder) -> int:
    """Freeze the worker between send and settle and sell meanwhile; the points the card has then.

    Apple's row and Google's have threads of their own: the one may freeze while the other is writing, and then SQLite
    lets nobody write until it thaws. That is another story, so the worker is frozen again.
    """
    points = 0
    for _ in range(20):
        scene.restart("worker", "push.done=stop")
        points += sold(holder, 1)
        scene.froze("worker")
        if more := sold(holder, 2):
            return points + more
    raise AssertionError("the worker was writing each time")


def sold(holder: Holder, points: int) -> int:
    """One try at a sale: the points that were booked."""
    answer = holder.earn(points)
    assert answer is not None
    assert answer.status_code in {201, 503}, answer.text
    return points if answer.ok else 0


@contextmanager
def announced(scene: Scene, *, starts_in_s: float, ends_in_s: float) -> Iterator[str]:
    """An offer for everybody, by its title; it is gone from every card when the test goes on."""
    title = f"Free simit {uuid.uuid4().hex[:6]}"
    now = datetime.now(UTC)
    offer = scene.place.api.post(
        "offers",
        {
            "programme": "stage",
            "title": title,
            "body": "With every coffee",
            "starts_at": (now + timedelta(seconds=starts_in_s)).isoformat(),
            "ends_at": (now + timedelta(seconds=ends_in_s)).isoformat(),
            "timezone": "Europe/Istanbul",
        },
    )
    yield title
    if offer_state(scene, offer["id"]) == "live":
        scene.place.api.post(f"offers/{offer['id']}/cancel", {}, expect=200)
    wait_for(lambda: not any(title in texts(scene, serial) for serial in scene.iphone.serials), CURRENT_WITHIN_S)


def offer_state(scene: Scene, offer_id: str) -> str:
    return str(scene.place.api.get(f"offers/{offer_id}")["state"])


def shown_on(scene: Scene, holders: list[Holder], title: str) -> bool:
    """Whether every iPhone's card of these shows the offer somewhere."""
    return all(title in texts(scene, one.card["serial"]) for one in holders)


def texts(scene: Scene, serial: str) -> str:
    """Everything that the iPhone shows of a card."""
    card = scene.iphone.device.by_serial(serial)
    keys = list(card.apple_pass.fields) if card else []
    return "\n".join(scene.iphone.shows_text(serial, key) or "" for key in keys)
