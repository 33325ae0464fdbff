"""Mails leave over a real socket, survive a server that is away, and are not kept once sent."""

import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from sqlalchemy import select

from app.enrolment import mail
from app.outbox.models import Message
from app.world import World
from tests.conftest import MovableClock


@dataclass
class Letterbox:
    """A mail server that answers RCPT as told and keeps what it is given."""

    port: int = 0
    answer_to_recipient: str = "250 yes"
    letters: list[EmailMessage] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"


class Conversation(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        box: Letterbox = self.server.box  # type: ignore[attr-defined]  # set by the fixture
        self._say("220 letterbox")
        while line := self.rfile.readline().strip().upper():
            if line.startswith(b"RCPT"):
                self._say(box.answer_to_recipient)
            elif line == b"DATA":
                self._say("354 go on")
                box.letters.append(self._letter())
                self._say("250 kept")
            elif line == b"QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 yes")

    def _letter(self) -> EmailMessage:
        lines: list[bytes] = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line)
        letter = message_from_bytes(b"".join(lines), policy=policy.default)
        assert isinstance(letter, EmailMessage)
        return letter

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@pytest.fixture
def box() -> Iterator[Letterbox]:
    made = Letterbox()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Conversation) as server:
        server.box = made  # type: ignore[attr-defined]  # handed to each conversation
        made.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


@pytest.fixture
def posting(world: World, box: Letterbox) -> World:
    return replace(world, settings=replace(world.settings, smtp_url=box.url))


def write(world: World, recipient: str = "ayse@example.com", subject: str = "123456 is your code") -> None:
    with world.database.unit_of_work() as session:
        mail.enqueue(
            session,
            recipient=recipient,
            subject=subject,
            text="Kodunuz: 123456 · çğıöşü",
            now=world.clock(),
            useful_for=timedelta(minutes=10),
        )


def row(world: World) -> Message:
    with world.database.reading() as session:
        return session.scalars(select(Message)).one()


def test_a_mail_arrives_once_with_its_letters_intact_and_its_text_is_not_kept(posting: World, box: Letterbox) -> None:
    write(posting)

    assert mail.deliver_next_mail(posting) is True
    assert mail.deliver_next_mail(posting) is False

    letter = box.letters[0]
    assert (letter["To"], letter["Subject"]) == ("ayse@example.com", "123456 is your code")
    assert "çğıöşü" in letter.get_content()
    assert row(posting).state == "sent"
    assert row(posting).body == b""


def test_nothing_is_claimed_where_no_mail_server_is_set_up(world: World) -> None:
    unset = replace(world, settings=replace(world.settings, smtp_url=""))
    write(unset)

    assert mail.deliver_next_mail(unset) is False
    assert row(unset).attempts == 0


def test_a_server_that_is_away_is_tried_again_later(posting: World, box: Letterbox, clock: MovableClock) -> None:
    away = replace(posting, settings=replace(posting.settings, smtp_url="smtp://127.0.0.1:1"))
    write(away)

    assert mail.deliver_next_mail(away) is True
    assert mail.deliver_next_mail(posting) is False
    clock.advance(seconds=6)
    assert mail.deliver_next_mail(posting) is True

    assert len(box.letters) == 1
    assert row(posting).attempts == 2


@pytest.mark.parametrize(("answer", "state"), [("550 nobody here", "failed"), ("450 later", "waiting")])
def test_a_refused_recipient_is_given_up_only_when_refused_for_good(
    posting: World, box: Letterbox, answer: str, state: str
) -> None:
    box.answer_to_recipient = answer
    write(posting)

    mail.deliver_next_mail(posting)

    assert row(posting).state == state
    assert "ayse" not in row(posting).last_reason


def test_a_code_that_is_too_old_is_not_sent(posting: World, box: Letterbox, clock: MovableClock) -> None:
    write(posting)
    clock.advance(minutes=11)

    assert mail.deliver_next_mail(posting) is True

    assert box.letters == []
    assert row(posting).state == "failed"


def test_a_mail_whose_worker_died_is_taken_up_again_after_its_lease(
    posting: World, box: Letterbox, clock: MovableClock
) -> None:
    write(posting)
    with posting.database.unit_of_work() as session:
        assert mail._claim(session, now=clock()) is not None

    assert mail.deliver_next_mail(posting) is False
    clock.advance(seconds=61)
    assert mail.deliver_next_mail(posting) is True

    assert len(box.letters) == 1


def test_mails_are_claimed_and_settled_on_both_databases(any_world: World, box: Letterbox) -> None:
    posting = replace(any_world, settings=replace(any_world.settings, smtp_url=box.url))
    write(posting)
    write(posting, recipient="bob@example.com")

    while mail.deliver_next_mail(posting):
        pass

    assert sorted(str(letter["To"]) for letter in box.letters) == ["ayse@example.com", "bob@example.com"]
