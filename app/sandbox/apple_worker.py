"""The thread in which a simulated iPhone speaks to web services."""

import contextlib
import queue
import threading
from typing import Protocol

from app.sandbox.apple_device import Device, HeldCard, card_key
from app.sandbox.apple_pass import Verdict
from app.sandbox.apple_service import Fetched, PassService, ServiceFault, Target, log_line
from app.sandbox.apple_tasks import Kind, Task, Tasks
from app.sandbox.apple_text import Place, changes_between, lock_screen_line
from app.sandbox.phone_story import Story, size_text
from app.sandbox.phone_time import utc_now

PKPASS = "application/vnd.apple.pkpass"


class Phone(Protocol):
    """What the worker needs of the phone it works for; all but `judge` is used with `changed` held."""

    changed: threading.Condition
    device: Device
    tasks: Tasks

    @property
    def place(self) -> Place: ...

    def judge(self, pkpass: bytes) -> Verdict: ...

    def pushed(self, topic: str) -> None: ...

    def tell(self, story: Story, step: str, *, bad: bool = False) -> None: ...

    def touched(self) -> None: ...

    def replace(self, card: HeldCard, pkpass: bytes) -> None: ...

    def enqueue_list(self, target: Target, story: Story) -> None: ...

    def enqueue_fetch(self, target: Target, story: Story) -> None: ...


class Worker:
    """Takes pushes and does the phone's tasks one by one; the phone's lock is never held over the network."""

    def __init__(self, phone: Phone, service: PassService) -> None:
        self._phone = phone
        self._service = service
        self._stopped = False
        self.busy = False
        self.inbox: queue.Queue[str | None] = queue.Queue()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._listen, self._work)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        with self._phone.changed:
            self._stopped = True
            self._phone.changed.notify_all()
        self.inbox.put(None)
        for thread in self._threads:
            thread.join(timeout=5)
        self._service.close()

    def _listen(self) -> None:
        while (topic := self.inbox.get()) is not None:
            with self._phone.changed:
                self._phone.pushed(topic)
                self.inbox.task_done()
                self._phone.changed.notify_all()

    def _work(self) -> None:
        changed, phone = self._phone.changed, self._phone
        while True:
            with changed:
                self.busy = False
                changed.notify_all()
                while not self._stopped and (phone.device.airplane or phone.tasks.wait_s() != 0.0):
                    changed.wait(None if phone.device.airplane else phone.tasks.wait_s())
                if self._stopped:
                    return
                task = phone.tasks.take_due()
                self.busy = task is not None
            if task is not None:
                self._perform(task)

    def _perform(self, task: Task) -> None:
        doing = {
            Kind.REGISTER: self._register,
            Kind.UNREGISTER: self._unregister,
            Kind.LIST: self._list,
            Kind.FETCH: self._fetch,
        }[task.kind]
        try:
            doing(task)
        except ServiceFault as fault:
            self._failed(task, fault)

    def _register(self, task: Task) -> None:
        with self._phone.changed:
            token = self._phone.device.push_token
        status = self._service.register(task.target, token)
        with self._phone.changed:
            card = self._held(task.target)
            if card is None or not card.automatic_updates:
                return
            card.registered = self._phone.device.push_token == token
            self._phone.tell(task.story, f"registered for updates ({status})")
            self._phone.enqueue_list(task.target, task.story)

    def _unregister(self, task: Task) -> None:
        status = self._service.unregister(task.target)
        with self._phone.changed:
            self._forget_goodbye(task.target)
            self._phone.tell(task.story, f"unregistered ({status})")

    def _list(self, task: Task) -> None:
        slot = f"{task.target.url} {task.target.pass_type}"
        with self._phone.changed:
            tag = self._phone.device.tags.get(slot)
            self._phone.tell(task.story, "asked for changes")
        listing = self._service.list_changed(task.target, tag)
        with self._phone.changed:
            phone = self._phone
            if listing.tag is None:
                phone.tell(task.story, "none")
                return
            phone.device.tags[slot] = listing.tag
            count = len(listing.serials)
            phone.tell(task.story, "1 serial" if count == 1 else f"{count} serials")
            for serial in listing.serials:
                card = phone.device.cards.get(card_key(task.target.pass_type, serial))
                target = phone.device.target(card.apple_pass) if card else None
                if target is None:
                    phone.tell(task.story, f"{serial} is not on this phone", bad=True)
                else:
                    phone.enqueue_fetch(target, task.story)

    def _fetch(self, task: Task) -> None:
        with self._phone.changed:
            card = self._held(task.target)
            if card is None:
                return
            stamp = card.last_modified
        fetched = self._service.fetch(task.target, stamp)
        if fetched.content is None:
            with self._phone.changed:
                card.last_modified = fetched.last_modified or card.last_modified
                self._phone.tell(task.story, "unchanged (304)")
            return
        self._take(task, fetched, fetched.content)

    def _take(self, task: Task, fetched: Fetched, content: bytes) -> None:
        verdict = self._phone.judge(content)
        if not verdict.accepted or verdict.apple_pass is None:
            raise ServiceFault(f"Received invalid pass data ({'; '.join(verdict.reasons)[:500]})", final=True)
        received = verdict.apple_pass
        if (received.pass_type, received.serial) != (task.target.pass_type, task.target.serial):
            asked, got = task.target.serial, received.serial
            raise ServiceFault(f"Requested serial number {asked}, received serial number {got}", final=True)
        with self._phone.changed:
            card = self._held(task.target)
            if card is not None:
                self._phone.tell(task.story, f"fetched {size_text(len(content))}")
                self._note_oddities(task.story, fetched, card, verdict)
                self._replace(task.story, card, verdict, content, fetched.last_modified)

    def _note_oddities(self, story: Story, fetched: Fetched, card: HeldCard, verdict: Verdict) -> None:
        if fetched.media_type.partition(";")[0].strip() != PKPASS:
            self._phone.tell(story, f"the media type was {fetched.media_type or 'missing'}", bad=True)
        if fetched.last_modified is None:
            self._phone.tell(story, "there was no Last-Modified, so every fetch is a full one", bad=True)
        if verdict.apple_pass and verdict.apple_pass.token != card.apple_pass.token:
            self._phone.tell(story, "the authentication token changed, which it must never do", bad=True)

    def _replace(self, story: Story, card: HeldCard, verdict: Verdict, content: bytes, stamp: str | None) -> None:
        if verdict.apple_pass is None:
            return
        phone, old, new = self._phone, card.apple_pass, verdict.apple_pass
        changes = changes_between(old, new, phone.place)
        card.apple_pass, card.verdict = new, verdict
        card.last_modified, card.updated_at = stamp, utc_now().isoformat()
        card.changed_keys = [change.key for change in changes]
        phone.replace(card, content)
        for change in changes:
            phone.tell(story, f"{change.label or change.key} {change.old or '–'} → {change.new or '–'}")
        if not changes:
            phone.tell(story, "no field changed")
        line = lock_screen_line(changes, phone.place)
        if line is not None:
            title = new.text(str(new.content["organizationName"]), phone.device.language)
            phone.device.diary.announce(title, line, new.serial)
        elif changes:
            phone.tell(story, "silently")
        phone.touched()

    def _failed(self, task: Task, fault: ServiceFault) -> None:
        with self._phone.changed:
            if self._phone.device.airplane:
                self._phone.tasks.add(task)
                self._phone.tell(task.story, "cut off by airplane mode")
                return
            delay_s = None if fault.final else self._phone.tasks.try_later(task)
            then = "gave up until something happens" if delay_s is None else f"tries again in {delay_s:g} s"
            self._phone.tell(task.story, f"{fault}; {then}", bad=True)
            if delay_s is None and task.kind is Kind.UNREGISTER:
                self._forget_goodbye(task.target)
            tag = self._phone.device.tags.get(f"{task.target.url} {task.target.pass_type}", "(null)")
            card = self._held(task.target)
            stamp = (card.last_modified if card else None) or "(null)"
        detail = {Kind.LIST: f", last updated {tag}", Kind.FETCH: f", if-modified-since {stamp}"}.get(task.kind, "")
        line = log_line(task.kind.value, task.target, str(fault), detail)
        with contextlib.suppress(ServiceFault):
            status = self._service.tell(task.target.url, [line])
            if status != 200:
                with self._phone.changed:
                    self._phone.tell(task.story, f"the log call was answered {status}", bad=True)

    def _held(self, target: Target) -> HeldCard | None:
        return self._phone.device.cards.get(card_key(target.pass_type, target.serial))

    def _forget_goodbye(self, target: Target) -> None:
        device = self._phone.device
        device.goodbyes = [note for note in device.goodbyes if note != vars(target)]
