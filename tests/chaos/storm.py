"""A storm: tills work, everything fails at random, and at the end the books, the tills and every phone must agree."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from app.sandbox.apple_phone import ApplePhone
from app.sandbox.google_phone import GooglePhone
from tests.chaos.tills import Books, Till
from tests.chaos.trouble import Trouble
from tests.journeys.stage import Stage, balance_on

CALM_WITHIN_S = 240.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`kills` ends the storm after so many kill -9; otherwise it lasts `seconds`. `seed` makes it repeatable."""

    seconds: float = 60.0
    kills: int | None = None
    cards: int = 6
    tills: int = 3
    seed: int = 1
    vendors: bool = True
    only_kills: bool = False
    pause_s: tuple[float, float] = (0.2, 1.2)
    roles: tuple[str, ...] = ("web", "deliver")
    also: dict[str, Callable[[], None]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Held:
    """A card with the two phones that hold it."""

    number: str
    serial: str
    iphone: ApplePhone
    android: GooglePhone
    object_id: str

    def is_current(self, points: int) -> bool:
        return bool(self.iphone.shows(self.serial, "balance") == points and self.shown_by_google() == points)

    def shown_by_google(self) -> Any:
        return balance_on(self.android, self.object_id)


@dataclass(frozen=True, kw_only=True)
class Aftermath:
    """What was found when it was calm again. `wrong` is empty if nothing was lost, doubled or left behind."""

    sales: int
    repeats: int
    dealt: dict[str, int]
    took_s: float
    calm_after_s: float
    wrong: list[str]

    def lines(self) -> Iterator[str]:
        yield f"{self.sales:,} transactions in {self.took_s:.0f} s, {self.repeats:,} requests repeated by the tills"
        yield ", ".join(f"{count} × {what}" for what, count in sorted(self.dealt.items()))
        yield f"all phones current {self.calm_after_s:.1f} s after the storm"
        yield from self.wrong or ["0 lost, 0 doubled, every phone current, the ledger adds up"]


def rage(place: Stage, plan: Plan) -> Aftermath:
    """Let the storm pass over *place* and look at what is left."""
    held = _members(place, plan.cards)
    books = Books()
    tills = [Till(place, [one.number for one in held], books, plan.seed + at) for at in range(plan.tills)]
    trouble = Trouble(
        place=place, roles=plan.roles, dice=random.Random(plan.seed), vendors=plan.vendors, also=plan.also
    )
    began = time.monotonic()
    for till in tills:
        till.start()
    _deal(trouble, plan, began)
    took_s = time.monotonic() - began
    wrong = _close(tills, trouble)
    calm = time.monotonic()
    wrong += _calm(trouble, held, books)
    return Aftermath(
        sales=len(books.transactions),
        repeats=books.repeats,
        dealt=dict(trouble.dealt),
        took_s=took_s,
        calm_after_s=time.monotonic() - calm,
        wrong=wrong + books.surprises[:10],
    )


def _members(place: Stage, count: int) -> list[Held]:
    iphone, android = place.iphone(), place.android()
    held = []
    for number in range(count):
        card = place.member(f"Member {number}")
        place.add_to_iphone(iphone, card)
        object_id = place.add_to_android(android, card)
        held.append(
            Held(number=card["number"], serial=card["serial"], iphone=iphone, android=android, object_id=object_id)
        )
    return held


def _deal(trouble: Trouble, plan: Plan, began: float) -> None:
    killed = 0
    while time.monotonic() - began < plan.seconds if plan.kills is None else killed < plan.kills:
        time.sleep(trouble.dice.uniform(*plan.pause_s))
        trouble.supervise()
        trouble.kill() if plan.only_kills else trouble.something()
        killed = sum(count for what, count in trouble.dealt.items() if what.startswith("kill "))


def _close(tills: list[Till], trouble: Trouble) -> list[str]:
    for till in tills:
        till.closing.set()
    for till in tills:
        trouble.supervise()
        till.join(90)
    stuck = [till.name for till in tills if till.is_alive()]
    for till in tills:
        till.given_up.set()
    return [f"{name} was never told what became of its sale" for name in stuck]


def _calm(trouble: Trouble, held: list[Held], books: Books) -> list[str]:
    """Wait until nothing is owed, then compare what the tills, the service, its books and the phones say."""
    place = trouble.place
    trouble.supervise()
    place.sandbox.apns.clear_faults()
    place.sandbox.google.faults.clear()
    place.product.wait_ready()
    deadline = time.monotonic() + CALM_WITHIN_S
    while time.monotonic() < deadline and not all(one.is_current(books.points[one.number]) for one in held):
        time.sleep(0.2)
        trouble.supervise()
    wrong = []
    for one in held:
        told = books.points[one.number]
        kept = place.api.get(f"cards/{one.number}")["balance"]
        if kept != told:
            wrong.append(f"{one.number}: the tills were told {told}, the books say {kept}")
        if (shown := one.iphone.shows(one.serial, "balance")) != kept:
            wrong.append(f"{one.number}: the iPhone shows {shown}, the books say {kept}")
        if (shown := one.shown_by_google()) != kept:
            wrong.append(f"{one.number}: Google shows {shown}, the books say {kept}")
    if len(set(books.transactions)) != len(books.transactions):
        wrong.append("a transaction was answered to two requests")
    if "adds up" not in (said := place.product.tessera("ledger", "verify")):
        wrong.append(said)
    return wrong
