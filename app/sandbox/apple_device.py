"""What a simulated iPhone remembers: its cards, and what it told and was told by each web service."""

import secrets
from dataclasses import asdict, dataclass, field
from typing import Any

from app.sandbox.apple_pass import ApplePass, Verdict
from app.sandbox.apple_service import Target
from app.sandbox.phone_story import Diary

CARD_MEMORY = ("last_modified", "registered", "automatic_updates", "added_at", "updated_at", "changed_keys")


@dataclass
class HeldCard:
    """A pass in the wallet. last_modified is what the service sent, to the letter."""

    apple_pass: ApplePass
    verdict: Verdict
    added_at: str
    updated_at: str
    last_modified: str | None = None
    registered: bool = False
    automatic_updates: bool = True
    changed_keys: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        return card_key(self.apple_pass.pass_type, self.apple_pass.serial)

    def memory(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in CARD_MEMORY}


def card_key(pass_type: str, serial: str) -> str:
    return f"{pass_type} {serial}"


@dataclass
class Device:
    """The state that survives a restart of the phone."""

    language: str
    push_token: str = field(default_factory=lambda: secrets.token_hex(32))
    airplane: bool = False
    device_ids: dict[str, str] = field(default_factory=dict)  # by web service
    tags: dict[str, str] = field(default_factory=dict)  # by web service and pass type
    goodbyes: list[dict[str, str]] = field(default_factory=list)  # unregistrations that wait for a network
    diary: Diary = field(default_factory=Diary)
    cards: dict[str, HeldCard] = field(default_factory=dict)

    def target(self, apple_pass: ApplePass) -> Target | None:
        """Where and how the pass is kept current; None for a pass without a web service."""
        url = apple_pass.web_service_url
        if not url:
            return None
        device = self.device_ids.setdefault(url, secrets.token_hex(16))
        return Target(
            url=url, device=device, pass_type=apple_pass.pass_type, serial=apple_pass.serial, token=apple_pass.token
        )

    def by_serial(self, serial: str) -> HeldCard | None:
        return next((card for card in self.cards.values() if card.apple_pass.serial == serial), None)

    def of_type(self, pass_type: str) -> list[HeldCard]:
        return [card for card in self.cards.values() if card.apple_pass.pass_type == pass_type]

    def memory(self) -> dict[str, Any]:
        plain = {
            name: getattr(self, name)
            for name in ("language", "push_token", "airplane", "device_ids", "tags", "goodbyes")
        }
        cards = {key: card.memory() for key, card in self.cards.items()}
        return {**plain, "diary": asdict(self.diary), "cards": cards}

    @classmethod
    def load(cls, memory: dict[str, Any], language: str) -> "Device":
        """The device without its cards: those are opened again from their files."""
        plain = {name: value for name, value in memory.items() if name not in ("diary", "cards")}
        plain.setdefault("language", language)
        return cls(**plain, diary=Diary.load(memory.get("diary", {})))
