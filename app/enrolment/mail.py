"""Mails to customers: a sealed row written with what it reports, sent by a step while no transaction is open."""

import json
import logging
import smtplib
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from sqlalchemy.orm import Session

from app import ids
from app.clock import milliseconds
from app.outbox import jobs
from app.outbox.jobs import Settlement
from app.settings import Settings
from app.vault import Vault
from app.world import World

LOGGER = logging.getLogger(__name__)
KIND = "mail"
LEASE_MS = 60_000
BACKOFF_MS = (5_000, 15_000, 60_000, 120_000, 240_000)
TIMEOUT_S = 15


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A mail on its way, as plain values. After `until` (epoch milliseconds) it is of no use to anybody."""

    message_id: str
    lease: str
    attempts: int
    recipient: str
    subject: str
    text: str
    until: int


def enqueue(session: Session, *, recipient: str, subject: str, text: str, now: datetime, useful_for: timedelta) -> None:
    """Write a mail in the caller's transaction; what names a person is sealed."""
    vault: Vault = session.info["vault"]
    body = {"subject": subject, "text": text, "until": milliseconds(now + useful_for)}
    jobs.enqueue(
        session,
        message_id=ids.public_id("msg"),
        kind=KIND,
        recipient=vault.seal(recipient.encode()),
        body=vault.seal(json.dumps(body).encode()),
        now_ms=milliseconds(now),
    )


def deliver_next_mail(world: World) -> bool:
    """Send one waiting mail; True if there was one. Does nothing without TESSERA_SMTP_URL."""
    if not world.settings.smtp_url:
        return False
    with world.database.unit_of_work() as session:
        letter = _claim(session, now=world.clock())
    if letter is None:
        return False
    if letter.until < milliseconds(world.clock()):
        outcome, reason = "failed", "too late to be of use"
    else:
        outcome, reason = _send(world.settings, letter)
    with world.database.unit_of_work() as session:
        _settle(session, letter, outcome, reason, now=world.clock())
    return True


def _claim(session: Session, *, now: datetime) -> Letter | None:
    claimed = jobs.claim(session, kind=KIND, limit=1, lease_ms=LEASE_MS, now_ms=milliseconds(now))
    if not claimed:
        return None
    row = claimed[0]
    vault: Vault = session.info["vault"]
    body = json.loads(vault.open(row.body))
    recipient = vault.open(row.recipient).decode()
    return Letter(message_id=row.id, lease=row.lease or "", attempts=row.attempts, recipient=recipient, **body)


def _send(settings: Settings, letter: Letter) -> tuple[str, str]:
    """Returns: sent, failed (for good) or again, with the reason for the log; a name or an address is never in it."""
    try:
        with _connection(settings.smtp_url) as server:
            server.send_message(_mail(settings, letter))
    except smtplib.SMTPRecipientsRefused as refusal:
        codes = [code for code, _ in refusal.recipients.values()]
        return ("failed" if all(code >= 500 for code in codes) else "again"), f"recipient refused: {codes}"
    except smtplib.SMTPResponseException as refusal:
        return "again", f"the mail server answered {refusal.smtp_code}"
    except (OSError, smtplib.SMTPException, ValueError) as problem:
        return "again", f"the mail server cannot be used: {type(problem).__name__}"
    return "sent", ""


def _connection(url: str) -> smtplib.SMTP:
    parts = urlsplit(url)
    host = parts.hostname or ""
    context = ssl.create_default_context()
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, parts.port or 465, timeout=TIMEOUT_S, context=context)
    else:
        server = smtplib.SMTP(host, parts.port or 25, timeout=TIMEOUT_S)
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=context)
    if parts.username:
        server.login(unquote(parts.username), unquote(parts.password or ""))
    return server


def _mail(settings: Settings, letter: Letter) -> EmailMessage:
    account = unquote(urlsplit(settings.smtp_url).username or "")
    host = urlsplit(settings.base_url).hostname or "localhost"
    mail = EmailMessage()
    mail["From"] = account if "@" in account else f"no-reply@{host}"
    mail["To"] = Address(addr_spec=letter.recipient)
    mail["Subject"] = letter.subject
    mail["Message-ID"] = f"<{letter.message_id}@{host}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(letter.text)
    return mail


def _settle(session: Session, letter: Letter, outcome: str, reason: str, *, now: datetime) -> None:
    now_ms = milliseconds(now)
    again = outcome == "again"
    if again:
        LOGGER.warning("mail %s will be tried again: %s", letter.message_id, reason)
    settlement = Settlement(
        message_id=letter.message_id,
        lease=letter.lease,
        state="waiting" if again else outcome,
        not_before=now_ms + (BACKOFF_MS[min(letter.attempts, len(BACKOFF_MS)) - 1] if again else 0),
        reason=reason,
    )
    jobs.settle(session, [settlement], now_ms=now_ms)
