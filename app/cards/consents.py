"""What members are asked for, one question for each purpose and channel, and what they answered.

Answers are added and never changed; the newest decides, from the moment it is written. Nobody has said yes who was
never asked. A question whose words change gets another version, which every answer names.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.cards.models import Consent, Member
from app.errors import Sentence, Unprocessable

MARKETING = ("marketing", "wallet")
LONGEST_PROOF = 200
LONGEST_VERSION = 40
NO_PROOF = "no_proof"
YES = frozenset({"yes", "y", "true", "1", "evet", "ya"})


@dataclass(frozen=True, kw_only=True)
class Question:
    """A purpose and a channel, and the words in which their consent is asked for; `name` is the programme's there."""

    purpose: str
    channel: str
    version: str
    words: Sentence

    @property
    def key(self) -> str:
        return f"{self.purpose}.{self.channel}"

    @property
    def subject(self) -> tuple[str, str]:
        return self.purpose, self.channel


QUESTIONS: tuple[Question, ...] = (
    Question(
        purpose="marketing", channel="wallet", version="2",
        words=Sentence("Yes, %(name)s may send me offers on my card.", name="%(name)s"),
    ),
    Question(
        purpose="marketing", channel="email", version="1",
        words=Sentence("Yes, %(name)s may send me offers by e-mail.", name="%(name)s"),
    ),
    Question(
        purpose="marketing", channel="sms", version="1",
        words=Sentence("Yes, %(name)s may send me offers by text message.", name="%(name)s"),
    ),
    Question(
        purpose="profiling", channel="any", version="1",
        words=Sentence("Yes, %(name)s may choose offers for me by what I buy.", name="%(name)s"),
    ),
    Question(
        purpose="location", channel="wallet", version="1",
        words=Sentence("Yes, my phone may show my card near a shop of %(name)s.", name="%(name)s"),
    ),
    Question(
        purpose="survey", channel="wallet", version="1",
        words=Sentence("Yes, %(name)s may ask me how it was.", name="%(name)s"),
    ),
)  # fmt: skip
BY_SUBJECT = {one.subject: one for one in QUESTIONS}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A yes or a no. `text_version` and `language` empty: those in which we ask. `proof`: what shows it."""

    purpose: str
    channel: str
    granted: bool
    text_version: str = ""
    language: str = ""
    proof: str = ""


@dataclass(frozen=True, kw_only=True)
class Witness:
    """Where an answer was given, and who wrote it down."""

    source: str
    actor: str = ""


@dataclass(frozen=True, kw_only=True)
class Imported:
    """An answer as an import keeps it; `note` is a code where it is not what the file says."""

    granted: bool
    note: str = ""


def record(session: Session, member: Member, answer: Answer, witness: Witness, *, now: datetime) -> None:
    """Add an answer; who is told something reads it from the end of this transaction on."""
    question = BY_SUBJECT.get((answer.purpose, answer.channel))
    session.add(
        Consent(
            member_id=member.id,
            purpose=answer.purpose,
            channel=answer.channel,
            granted=answer.granted,
            text_version=answer.text_version or (question.version if question else "1"),
            language=answer.language or member.language,
            source=witness.source,
            actor=witness.actor,
            proof=answer.proof,
            at=now,
        )
    )
    if (answer.purpose, answer.channel) == MARKETING:
        member.marketing_consent = answer.granted


def answer_anew(
    session: Session, member: Member, answers: Sequence[Answer], witness: Witness, *, now: datetime
) -> list[Answer]:
    """Add those answers that say something else than the newest ones; which they were. A no where nobody ever said
    anything is nothing new.

    Raises: Unprocessable `unknown_purpose`.
    """
    _check(answers)
    before = newest(session, member.id)
    changed = []
    for answer in answers:
        known = before.get((answer.purpose, answer.channel))
        said_so = known.granted if known else False
        if answer.granted != said_so or (
            known and answer.proof and answer.text_version not in {"", known.text_version}
        ):
            record(session, member, answer, witness, now=now)
            changed.append(answer)
    session.flush()
    return changed


def newest(session: Session, member_id: int) -> dict[tuple[str, str], Consent]:
    """The answers that decide, by purpose and channel."""
    last = (
        select(func.max(Consent.id))
        .where(Consent.member_id == member_id)
        .group_by(Consent.purpose, Consent.channel)
        .scalar_subquery()
    )
    return {(one.purpose, one.channel): one for one in session.scalars(select(Consent).where(Consent.id.in_(last)))}


def is_granted(session: Session, member_id: int, purpose: str, channel: str) -> bool:
    """Whether the newest answer is a yes."""
    query = select(Consent.granted).where(
        Consent.member_id == member_id, Consent.purpose == purpose, Consent.channel == channel
    )
    return bool(session.scalar(query.order_by(Consent.id.desc()).limit(1)))


def history(session: Session, member_id: int, *, limit: int = 1000) -> list[Consent]:
    """Every answer, the newest first."""
    query = select(Consent).where(Consent.member_id == member_id)
    return list(session.scalars(query.order_by(Consent.id.desc()).limit(limit)))


def imported(said: str, proof: str) -> Imported:
    """How an import keeps a column that says yes or no: a yes that nothing shows is a no, and the row is told so."""
    if said.strip().casefold() not in YES:
        return Imported(granted=False)
    if not proof.strip():
        return Imported(granted=False, note=NO_PROOF)
    return Imported(granted=True)


def _check(answers: Sequence[Answer]) -> None:
    errors: dict[str, str] = {}
    known = ", ".join(one.key for one in QUESTIONS)
    for number, answer in enumerate(answers):
        if (answer.purpose, answer.channel) not in BY_SUBJECT:
            errors[f"consents.{number}.purpose"] = Sentence(
                "Nobody is asked for that; name a purpose and a channel of %(known)s.", known=known
            )
    if errors:
        raise Unprocessable("unknown_purpose", " ".join(errors.values()), errors=errors)
