"""A simulated Android phone with one Google account."""

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.sandbox.google_card import GoogleCard, differences
from app.sandbox.phone_folder import PhoneFolder
from app.sandbox.phone_ports import GoogleWallet, Json
from app.sandbox.phone_story import Diary, Message, Story


class GooglePhone:
    """It holds copies of what Google stores, and syncs when Google says so; offline it shows what it had."""

    def __init__(self, wallet: GoogleWallet, folder: Path, language: str = "en", *, account: str = "phone") -> None:
        self.changed = threading.Condition(threading.RLock())
        self.account = account
        self._wallet = wallet
        self._folder = PhoneFolder(folder)
        memory = self._folder.load()
        self.language: str = memory.get("language", language)
        self.airplane: bool = memory.get("airplane", False)
        self.diary = Diary.load(memory.get("diary", {}))
        self._cards: dict[str, list[Json]] = memory.get("cards", {})
        self._removed: list[str] = memory.get("removed", [])
        self._missed: list[Json] = memory.get("missed", [])
        self._saving = False
        self._watchers: list[Callable[[], None]] = []
        self._inbox: queue.Queue[Json | None] = queue.Queue()
        self._unsubscribe = wallet.subscribe(self._inbox.put)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        if not self.airplane:
            self._catch_up()

    # What the user does

    def save(self, link_or_jwt: str) -> list[str]:
        """Save what the link names; the ids of the objects saved. Raises ValueError with the reason of a refusal."""
        jwt = link_or_jwt.rpartition("/")[2]
        if self.airplane:
            raise ValueError("The phone is in airplane mode.")
        self._saving = True
        try:
            ids = self._wallet.save(jwt, self.account)
            self._inbox.join()  # its own save comes back as an event: heard later, it would undo a quick deletion
        except ValueError as refusal:
            with self.changed:
                self._tell(self.diary.open("opened a save link"), f"Google refused it: {refusal}", bad=True)
            raise
        finally:
            self._saving = False
        with self.changed:
            self._keep(ids, self.diary.open("opened a save link"))
        return ids

    def _keep(self, ids: list[str], story: Story) -> None:
        self._tell(story, "saved to Google Wallet" if len(ids) == 1 else f"saved {len(ids)} cards")
        for object_id in ids:
            self._cards.setdefault(object_id, [{}, {}])
            self._sync(object_id, story)
        self._touched()

    def delete(self, object_id: str) -> None:
        """Remove the card from this account's wallet; the object stays with Google."""
        with self.changed:
            if self._cards.pop(object_id, None) is None:
                return
            story = self.diary.open("removed the card")
            self._removed.append(object_id)
            if self.airplane:
                self._tell(story, "waits for the network")
                return
        self._send_removals(story)

    def set_airplane_mode(self, on: bool) -> None:
        with self.changed:
            if self.airplane == on:
                return
            self.airplane = on
            self.diary.open(f"airplane mode {'on' if on else 'off'}")
            self._touched()
        if not on:
            self._catch_up()

    def set_language(self, language: str) -> None:
        with self.changed:
            self.language = language
            self._touched()

    # What can be seen

    @property
    def lock_screen(self) -> list[str]:
        """The lines on the lock screen, oldest first."""
        return [message.text for message in self.messages]

    @property
    def messages(self) -> list[Message]:
        with self.changed:
            return list(self.diary.messages)

    @property
    def log(self) -> list[str]:
        with self.changed:
            return [story.text for story in self.diary.stories]

    @property
    def object_ids(self) -> list[str]:
        with self.changed:
            return list(self._cards)

    def card(self, object_id: str) -> Json | None:
        """The object over its class, as the phone shows it now; None without such a card."""
        with self.changed:
            copies = self._cards.get(object_id)
            return self._view(copies) if copies else None

    def stored(self, object_id: str) -> tuple[Json, Json] | None:
        """The phone's copies of the object and of its class."""
        with self.changed:
            copies = self._cards.get(object_id)
            return (copies[0], copies[1]) if copies else None

    @property
    def is_idle(self) -> bool:
        return not self._inbox.unfinished_tasks

    def wait_until(self, predicate: Callable[["GooglePhone"], bool], timeout_s: float = 30.0) -> bool:
        """Wait for the phone to be so; False if it was not within the time."""
        with self.changed:
            return self.changed.wait_for(lambda: predicate(self), timeout_s)

    def watch(self, on_change: Callable[[], None]) -> None:
        """on_change is called, under the phone's lock, after anything visible changed."""
        self._watchers.append(on_change)

    def close(self) -> None:
        self._unsubscribe()
        self._inbox.put(None)
        self._thread.join(timeout=5)
        with self.changed:
            self._folder.save(self._memory())

    # What the phone does by itself

    def _listen(self) -> None:
        while (event := self._inbox.get()) is not None:
            self._heard(event)
            with self.changed:
                self._inbox.task_done()
                self.changed.notify_all()

    def _heard(self, event: Json) -> None:
        if self.account not in event.get("accounts", ()):
            return
        if event["kind"] in ("saved", "deleted"):
            self._moved(event["object_id"], saved=event["kind"] == "saved")
            return
        with self.changed:
            if self.airplane:
                self._missed.append(event)
                self._touched()
                return
        self._take(event)

    def _moved(self, object_id: str, *, saved: bool) -> None:
        """The account's wallet was changed from elsewhere, such as Google's page in a browser."""
        with self.changed:
            if saved and not self._saving and object_id not in self._cards:
                self._keep([object_id], self.diary.open("pressed Add to Google Wallet"))
            elif not saved and self._cards.pop(object_id, None) is not None:
                self.diary.open("the card was removed from the account")
                self._touched()

    def _take(self, event: Json) -> None:
        ids = self._concerned(event)
        with self.changed:
            story = self.diary.open(_cause(event))
            for object_id in ids:
                self._sync(object_id, story)
            if event.get("notify"):
                self.diary.announce(str(event.get("header", "")), str(event.get("body", "")), ids[0] if ids else "")
                self._tell(story, "notification on the lock screen")
            else:
                self._tell(story, "silently")

    def _concerned(self, event: Json) -> list[str]:
        with self.changed:
            if "object_id" in event:
                return [event["object_id"]] if event["object_id"] in self._cards else []
            return [key for key, copies in self._cards.items() if copies[0].get("classId") == event.get("class_id")]

    def _sync(self, object_id: str, story: Story) -> None:
        wallet_object = self._wallet.get_object(object_id)
        if wallet_object is None or object_id not in self._cards:
            self._tell(story, f"{object_id} is gone from Google", bad=True)
            return
        wallet_class = self._wallet.get_class(str(wallet_object.get("classId"))) or {}
        old = self._view(self._cards[object_id]) if self._cards[object_id][0] else None
        self._cards[object_id] = [dict(wallet_object), dict(wallet_class)]
        self._tell(story, "synced the card")
        for difference in differences(old, self._view(self._cards[object_id])):
            self._tell(story, difference)

    def _catch_up(self) -> None:
        """Back on the network: send what waited, sync every card, show the notifications Google kept."""
        with self.changed:
            missed, self._missed = self._missed, []
            story = self.diary.open("on the network") if self._cards or self._removed else None
        if story is not None:
            self._send_removals(story)
            with self.changed:
                for object_id in list(self._cards):
                    self._sync(object_id, story)
        with self.changed:
            for event in missed:
                if event.get("notify"):
                    ids = self._concerned(event)
                    self.diary.announce(str(event.get("header", "")), str(event.get("body", "")), ids[0] if ids else "")
            self._touched()

    def _send_removals(self, story: Story) -> None:
        while self._removed:
            object_id = self._removed[0]
            with suppress(ValueError, KeyError):
                self._wallet.delete(object_id, self.account)
            with self.changed:
                self._removed.remove(object_id)
                self._tell(story, "told Google, who tells the shop")

    def _view(self, copies: list[Json]) -> Json:
        return GoogleCard(copies[0], copies[1], self.language).view()

    def _tell(self, story: Story, step: str, *, bad: bool = False) -> None:
        self.diary.tell(story, step, bad=bad)
        self._touched()

    def _touched(self) -> None:
        self._folder.save(self._memory())
        self.changed.notify_all()
        for watcher in self._watchers:
            watcher()

    def _memory(self) -> dict[str, Any]:
        plain = {"language": self.language, "airplane": self.airplane, "diary": self.diary.dump()}
        return plain | {"cards": self._cards, "removed": self._removed, "missed": self._missed}


def _cause(event: Json) -> str:
    subject = "the card" if "object_id" in event else "every card of the programme"
    return f"Google has a message for {subject}" if event["kind"] == "message" else f"Google has {subject} changed"
