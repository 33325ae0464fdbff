"""A simulated iPhone: it follows Apple's protocol to the letter and judges what it is given."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.sandbox.apple_device import Device, HeldCard, card_key
from app.sandbox.apple_pass import Verdict, judge
from app.sandbox.apple_service import PassService, Target
from app.sandbox.apple_tasks import Kind, Task, Tasks
from app.sandbox.apple_text import Place, field_text
from app.sandbox.apple_worker import Worker
from app.sandbox.hub import Hub, Subscription
from app.sandbox.phone_folder import PhoneFolder
from app.sandbox.phone_story import Message, Story, size_text
from app.sandbox.phone_time import utc_now

RETRY_DELAYS_S = (1.0, 3.0, 10.0, 30.0, 120.0)


class ApplePhone:
    """An iPhone with Wallet. What the user does returns at once; the network is spoken to in a thread of the phone."""

    def __init__(
        self,
        hub: Hub,
        folder: Path,
        language: str = "en",
        *,
        root_pem: bytes,
        timezone: str = "Europe/London",
        allow_http: bool = True,
        retry_delays_s: tuple[float, ...] = RETRY_DELAYS_S,
    ) -> None:
        """root_pem: whom the phone trusts for passes; folder keeps its state; allow_http: the developer switch."""
        self.changed = threading.Condition(threading.RLock())
        self.tasks = Tasks(retry_delays_s)
        self.timezone = timezone
        self._hub = hub
        self._folder = PhoneFolder(folder)
        self._root_pem = root_pem
        self._allow_http = allow_http
        self._watchers: list[Callable[[], None]] = []
        self._subscription: Subscription | None = None
        self.device = self._wake_up(language)
        self._worker = Worker(self, PassService())
        self._worker.start()
        if not self.device.airplane:
            self._connect()

    def _wake_up(self, language: str) -> Device:
        memory = self._folder.load()
        device = Device.load(memory, language)
        for key, known in memory.get("cards", {}).items():
            archive = self._folder.kept(key)
            verdict = self.judge(archive) if archive is not None else None
            if verdict is not None and verdict.apple_pass is not None:
                device.cards[key] = HeldCard(verdict.apple_pass, verdict, **known)
        return device

    def judge(self, pkpass: bytes) -> Verdict:
        return judge(pkpass, self._root_pem, allow_http=self._allow_http)

    # What the user does

    def add(self, pkpass: bytes) -> Verdict:
        """Judge the archive and, unless Wallet would refuse it, keep the pass and register; the Verdict."""
        verdict = self.judge(pkpass)
        with self.changed:
            story = self.device.diary.open(f"opened a pass of {size_text(len(pkpass))}")
            if not verdict.accepted or verdict.apple_pass is None:
                self.tell(
                    story,
                    f"Wallet refused it: {verdict.reasons[0] if verdict.reasons else 'it is unreadable'}",
                    bad=True,
                )
                return verdict
            signature = verdict.signature
            self.tell(story, f"signature of {signature.organisation or signature.signer} verified by {signature.judge}")
            self._keep_new(pkpass, verdict, story)
        return verdict

    def _keep_new(self, pkpass: bytes, verdict: Verdict, story: Story) -> None:
        apple_pass = verdict.apple_pass
        if apple_pass is None:
            return
        now = utc_now().isoformat()
        card = HeldCard(apple_pass, verdict, added_at=now, updated_at=now)
        self.tell(story, "replaced the card of the same serial" if card.key in self.device.cards else "added to Wallet")
        self.device.cards[card.key] = card
        self._folder.keep(card.key, pkpass)
        self._register(card, story)
        self.touched()

    def delete(self, serial: str) -> None:
        """Remove the card, as the user would: unregisters."""
        with self.changed:
            card = self.device.by_serial(serial)
            if card is None:
                return
            story = self.device.diary.open("deleted the card")
            del self.device.cards[card.key]
            self._folder.drop(card.key)
            self._unregister(card, story)
            self.touched()

    def set_automatic_updates(self, serial: str, on: bool) -> None:
        """The switch on the card's details: off unregisters, on registers again."""
        with self.changed:
            card = self.device.by_serial(serial)
            if card is None or card.automatic_updates == on:
                return
            card.automatic_updates = on
            story = self.device.diary.open(f"turned Automatic Updates {'on' if on else 'off'}")
            (self._register if on else self._unregister)(card, story)
            self.touched()

    def pull_to_refresh(self, serial: str) -> None:
        """Fetch the card without a push, as pulling down its details does."""
        with self.changed:
            card = self.device.by_serial(serial)
            target = self.device.target(card.apple_pass) if card else None
            if target is not None:
                self._enqueue(Kind.FETCH, target, self.device.diary.open("pulled to refresh"))
            self.touched()

    def set_airplane_mode(self, on: bool) -> None:
        """On: no network, pushes wait at APNs. Off: the one kept push arrives, and waiting tasks are tried."""
        with self.changed:
            if self.device.airplane == on:
                return
            self.device.airplane = on
            self.device.diary.open(f"airplane mode {'on' if on else 'off'}")
            if not on:
                self.tasks.all_due_now()
                self._register_again("back on the network")
            self.touched()
        if on:
            self._disconnect()
        else:
            self._connect()

    def set_language(self, language: str) -> None:
        with self.changed:
            self.device.language = language
            self.touched()

    def change_push_token(self) -> None:
        """A new token, as after a restore: the old one is retired and every card registers again."""
        self._disconnect()
        with self.changed:
            old = self.device.push_token
            self.device.push_token = Device(language="").push_token
            for card in self.device.cards.values():
                card.registered = False
            self._register_again("got a new push token")
            self.touched()
        self._hub.unsubscribe(old)
        if not self.device.airplane:
            self._connect()

    # What can be seen

    @property
    def place(self) -> Place:
        return Place(self.device.language, self.timezone)

    @property
    def lock_screen(self) -> list[str]:
        """The lines on the lock screen, oldest first."""
        return [message.text for message in self.messages]

    @property
    def messages(self) -> list[Message]:
        with self.changed:
            return list(self.device.diary.messages)

    @property
    def log(self) -> list[str]:
        """What happened, in words: one line for each cause."""
        with self.changed:
            return [story.text for story in self.device.diary.stories]

    @property
    def serials(self) -> list[str]:
        with self.changed:
            return [card.apple_pass.serial for card in self.device.cards.values()]

    def shows(self, serial: str, field_key: str) -> Any:
        """The raw value of a field on the card, None without such a card or field."""
        with self.changed:
            card = self.device.by_serial(serial)
            return card.apple_pass.fields.get(field_key, {}).get("value") if card else None

    def shows_text(self, serial: str, field_key: str) -> str | None:
        """The value as the user reads it, in the phone's language."""
        with self.changed:
            card = self.device.by_serial(serial)
            field = card.apple_pass.fields.get(field_key) if card else None
            return field_text(card.apple_pass, field, self.place) if card and field else None

    def is_registered(self, serial: str) -> bool:
        with self.changed:
            card = self.device.by_serial(serial)
            return card is not None and card.registered

    @property
    def is_idle(self) -> bool:
        """Nothing waits for the network, and no push for the phone."""
        with self.changed:
            return not self.tasks.waiting and not self._worker.busy and not self._worker.inbox.unfinished_tasks

    def wait_until(self, predicate: Callable[["ApplePhone"], bool], timeout_s: float = 30.0) -> bool:
        """Wait for the phone to be so; False if it was not within the time."""
        with self.changed:
            return self.changed.wait_for(lambda: predicate(self), timeout_s)

    def watch(self, on_change: Callable[[], None]) -> None:
        """on_change is called, under the phone's lock, after anything visible changed."""
        self._watchers.append(on_change)

    def close(self) -> None:
        """Switch the phone off; its state stays in the folder."""
        self._disconnect()
        self._worker.stop()
        with self.changed:
            self._folder.save(self.device.memory())

    # What the phone does by itself; the caller holds `changed`

    def tell(self, story: Story, step: str, *, bad: bool = False) -> None:
        self.device.diary.tell(story, step, bad=bad)
        self.touched()

    def touched(self) -> None:
        self._folder.save(self.device.memory())
        self.changed.notify_all()
        for watcher in self._watchers:
            watcher()

    def replace(self, card: HeldCard, pkpass: bytes) -> None:
        """Put a newer version of a held card in its place."""
        self.device.cards[card.key] = card
        self._folder.keep(card.key, pkpass)

    def pushed(self, topic: str) -> None:
        """A push arrived: ask each web service of that pass type what changed."""
        with self.changed:
            story = self.device.diary.open("push arrived")
            cards = self.device.of_type(topic)
            self._register_again("registering was still open", topic)
            targets = {target.url: target for card in cards if (target := self.device.target(card.apple_pass))}
            for target in targets.values():
                self._enqueue(Kind.LIST, target, story)
            if not targets:
                self.tell(story, f"no card of {topic} here")
            self.touched()

    def _register(self, card: HeldCard, story: Story) -> None:
        target = self.device.target(card.apple_pass)
        if target is None:
            self.tell(story, "it has no web service, so it will never change")
            return
        self.tasks.drop(Kind.UNREGISTER, target)
        self.device.goodbyes = [note for note in self.device.goodbyes if _key_of(note) != card.key]
        self._enqueue(Kind.REGISTER, target, story)

    def _register_again(self, why: str, pass_type: str | None = None) -> None:
        for card in self.device.cards.values():
            wanted = pass_type is None or card.apple_pass.pass_type == pass_type
            if wanted and card.automatic_updates and not card.registered and self.device.target(card.apple_pass):
                self._register(card, self.device.diary.open(why))

    def _unregister(self, card: HeldCard, story: Story) -> None:
        card.registered = False
        target = self.device.target(card.apple_pass)
        if target is None:
            return
        for kind in (Kind.REGISTER, Kind.FETCH):
            self.tasks.drop(kind, target)
        self.device.goodbyes.append(vars(target).copy())
        self._enqueue(Kind.UNREGISTER, target, story)

    def _enqueue(self, kind: Kind, target: Target, story: Story) -> None:
        if self.device.airplane:
            self.tell(story, "waits for the network")
        if not self.tasks.add(Task(kind, target, story)):
            self.tell(story, "already on its list")
        self.changed.notify_all()

    def enqueue_fetch(self, target: Target, story: Story) -> None:
        self._enqueue(Kind.FETCH, target, story)

    def enqueue_list(self, target: Target, story: Story) -> None:
        self._enqueue(Kind.LIST, target, story)

    def _connect(self) -> None:
        with self.changed:
            token = self.device.push_token
            for note in self.device.goodbyes:
                self.tasks.add(
                    Task(Kind.UNREGISTER, Target(**note), self.device.diary.open("a deleted card is still registered"))
                )
            self._register_again("started again")
            self.changed.notify_all()
        self._subscription = self._hub.subscribe(token, self._worker.inbox.put)

    def _disconnect(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            subscription.close()


def _key_of(note: dict[str, str]) -> str:
    return card_key(note["pass_type"], note["serial"])
