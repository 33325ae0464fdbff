"""What goes wrong in a storm: processes die or freeze, vendors misbehave, the broker forgets, the database restarts."""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from app.sandbox.apns.faults import Fault as ApnsFault
from app.sandbox.apns.faults import FaultKind
from app.sandbox.google.faults import Fault as GoogleFault
from tests.journeys.stage import Stage

APNS_MENU = (
    ApnsFault(status=500, reason="InternalServerError"),
    ApnsFault(status=503, reason="ServiceUnavailable"),
    ApnsFault(status=429, reason="TooManyRequests"),
    ApnsFault(kind=FaultKind.SLOW, delay_s=1.0),
    ApnsFault(kind=FaultKind.SILENT),
    ApnsFault(kind=FaultKind.LOST_ANSWER),
    ApnsFault(kind=FaultKind.DROP),
    ApnsFault(kind=FaultKind.GOAWAY),
    ApnsFault(kind=FaultKind.REFUSE_STREAM),
)
GOOGLE_MENU = (
    GoogleFault(status=500),
    GoogleFault(status=503, apply=True),
    GoogleFault(status=429, reason="rateLimitExceeded", retry_after_s=1),
    GoogleFault(drop=True),
    GoogleFault(drop=True, apply=True),
    GoogleFault(latency_s=1.0),
)


@dataclass
class Trouble:
    """Deals out misfortune, and counts it. `also`: further misfortunes by name, such as a broker's."""

    place: Stage
    roles: tuple[str, ...]
    dice: random.Random
    vendors: bool = True
    also: dict[str, Callable[[], None]] = field(default_factory=dict)
    dealt: Counter[str] = field(default_factory=Counter)

    def kill(self) -> None:
        """kill -9 of one process, started again as whoever supervises it would."""
        role = self.dice.choice(self.roles)
        self.place.product.kill(role)
        self.place.product.begin(role)
        self.dealt[f"kill {role}"] += 1

    def supervise(self) -> None:
        """Start again whatever ended by itself, as a supervisor would; a database that is away ends who starts then."""
        for role in self.roles:
            if self.place.product.processes[role].poll() is not None:
                self.place.product.begin(role)

    def something(self) -> None:
        """A kill half of the time, something else the other half."""
        others: list[Callable[[], None]] = [self._freeze]
        if self.vendors:
            others += [self._apns, self._google]
        others += [self._named(name, deal) for name, deal in self.also.items()]
        self.dice.choice([self.kill] * len(others) + others)()

    def _freeze(self) -> None:
        role = self.dice.choice(self.roles)
        process = self.place.product.processes[role]
        process.send_signal(signal.SIGSTOP)
        time.sleep(self.dice.uniform(0.2, 2.0))
        process.send_signal(signal.SIGCONT)
        self.dealt[f"freeze {role}"] += 1

    def _apns(self) -> None:
        fault = self.dice.choice(APNS_MENU)
        self.place.sandbox.apns.script(fault)
        self.dealt[f"APNs {fault.kind.value} {fault.reason}".strip()] += 1

    def _google(self) -> None:
        fault = self.dice.choice(GOOGLE_MENU)
        self.place.sandbox.google.script(fault)
        self.dealt[f"Google {'lost answer' if fault.drop else fault.status or 'slow'}"] += 1

    def _named(self, name: str, deal: Callable[[], None]) -> Callable[[], None]:
        def dealt() -> None:
            deal()
            self.dealt[name] += 1

        return dealt
