"""What happened on a phone, in words, and what it showed on its lock screen."""

from dataclasses import asdict, dataclass, field
from typing import Any

from app.sandbox.phone_time import utc_now

STORIES_KEPT = 40
MESSAGES_KEPT = 30


@dataclass
class Story:
    """One chain of steps with a common cause, told as “this → that → …”."""

    number: int
    at: str
    steps: list[dict[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " → ".join(str(step["text"]) for step in self.steps)


@dataclass(frozen=True, kw_only=True)
class Message:
    """A line on the lock screen."""

    number: int
    at: str
    title: str
    text: str
    card: str


@dataclass
class Diary:
    """The last stories and messages of a phone; the caller holds the phone's lock."""

    stories: list[Story] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    last: int = 0

    def open(self, first_step: str) -> Story:
        self.last += 1
        story = Story(self.last, utc_now().isoformat())
        self.stories.append(story)
        del self.stories[:-STORIES_KEPT]
        self.tell(story, first_step)
        return story

    def tell(self, story: Story, step: str, *, bad: bool = False) -> None:
        story.steps.append({"text": step, "bad": bad})

    def announce(self, title: str, text: str, card: str) -> None:
        self.last += 1
        message = Message(number=self.last, at=utc_now().isoformat(), title=title, text=text, card=card)
        self.messages.append(message)
        del self.messages[:-MESSAGES_KEPT]

    def dump(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def load(cls, data: dict[str, Any]) -> "Diary":
        return cls(
            stories=[Story(**story) for story in data.get("stories", [])],
            messages=[Message(**message) for message in data.get("messages", [])],
            last=int(data.get("last", 0)),
        )


def size_text(size_bytes: int) -> str:
    """The size as people say it."""
    return f"{size_bytes} bytes" if size_bytes < 1024 else f"{size_bytes / 1024:.0f} KB"
