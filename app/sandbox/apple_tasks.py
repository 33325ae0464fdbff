"""The device's list of things to do over the network: merged when alike, tried again with growing delay."""

import time
from dataclasses import dataclass, field
from enum import Enum

from app.sandbox.apple_service import Target
from app.sandbox.phone_story import Story


class Kind(Enum):
    REGISTER = "Register task"
    UNREGISTER = "Unregister task"
    LIST = "Get serial #s task"
    FETCH = "Get pass task"


@dataclass
class Task:
    kind: Kind
    target: Target
    story: Story
    due_at: float = 0.0
    attempts: int = 0

    @property
    def key(self) -> tuple[str, ...]:
        serial = "" if self.kind is Kind.LIST else self.target.serial
        return (self.kind.name, self.target.url, self.target.pass_type, serial)


@dataclass
class Tasks:
    """Waiting tasks in the order they came; the caller holds the phone's lock."""

    delays_s: tuple[float, ...]
    waiting: dict[tuple[str, ...], Task] = field(default_factory=dict)

    def add(self, task: Task) -> bool:
        """False if an identical task waits already: the two are one, and due at once."""
        known = self.waiting.get(task.key)
        if known is not None:
            known.due_at, known.attempts = 0.0, 0
            return False
        self.waiting[task.key] = task
        return True

    def drop(self, kind: Kind, target: Target) -> None:
        self.waiting.pop(Task(kind, target, Story(0, "")).key, None)

    def take_due(self) -> Task | None:
        now = time.monotonic()
        task = next((task for task in self.waiting.values() if task.due_at <= now), None)
        return self.waiting.pop(task.key) if task is not None else None

    def wait_s(self) -> float | None:
        """Seconds to the next task, None when there is nothing to do."""
        if not self.waiting:
            return None
        return max(0.0, min(task.due_at for task in self.waiting.values()) - time.monotonic())

    def try_later(self, task: Task) -> float | None:
        """Put the task back; the delay in seconds, None when the device gives up."""
        if task.attempts >= len(self.delays_s):
            return None
        delay_s = self.delays_s[task.attempts]
        task.attempts += 1
        task.due_at = time.monotonic() + delay_s
        self.waiting.setdefault(task.key, task)
        return delay_s

    def all_due_now(self) -> None:
        for task in self.waiting.values():
            task.due_at, task.attempts = 0.0, 0
