"""What members say yes to: one question each, never ticked for them, the newest answer at once."""

import hashlib

import pytest
from sqlalchemy import func, select

from app.cards import consents
from app.cards.consents import Answer, Imported, Witness
from app.cards.models import Card, Consent, Member
from app.errors import Unprocessable
from app.world import World
from tests import factories
from tests.conftest import MovableClock

KNOWN_WORDS = {
    ("marketing.wallet", "2"): "ffaee7c0af22",
    ("marketing.email", "1"): "a1a08b7d748f",
    ("marketing.sms", "1"): "b989e2da0563",
    ("profiling.any", "1"): "78993a87596a",
    ("location.wallet", "1"): "5d3422cc7c5b",
    ("survey.wallet", "1"): "915a95702d07",
}
PAGE = Witness(source="page", actor="member")


def a_card(world: World, *, consent: bool = False) -> Card:
    with world.database.unit_of_work() as session:
        return factories.card(session, factories.programme(session), consent=consent)


def answered(world: World, card: Card, *answers: Answer) -> list[Answer]:
    with world.database.unit_of_work() as session:
        member = session.get_one(Member, card.member_id)
        return consents.answer_anew(session, member, answers, PAGE, now=world.clock())


def test_an_answer_keeps_its_words_time_source_actor_and_proof(any_world: World, clock: MovableClock) -> None:
    card = a_card(any_world)
    clock.advance(days=1)

    answered(any_world, card, Answer(purpose="survey", channel="wallet", granted=True, proof="form 7"))

    with any_world.database.reading() as session:
        kept = consents.history(session, card.member_id)[0]
        assert not session.get_one(Member, card.member_id).marketing_consent
    assert (kept.purpose, kept.channel, kept.granted, kept.text_version) == ("survey", "wallet", True, "1")
    assert (kept.language, kept.source, kept.actor, kept.proof, kept.at) == ("en", "page", "member", "form 7", clock())


def test_every_purpose_and_channel_is_answered_on_its_own(any_world: World) -> None:
    card = a_card(any_world)

    answered(any_world, card, Answer(purpose="marketing", channel="email", granted=True))

    with any_world.database.reading() as session:
        said = {one.subject: consents.is_granted(session, card.member_id, *one.subject) for one in consents.QUESTIONS}
    assert [subject for subject, yes in said.items() if yes] == [("marketing", "email")]


def test_nothing_is_written_where_nothing_was_said_anew(any_world: World) -> None:
    card = a_card(any_world)
    every = [Answer(purpose=one.purpose, channel=one.channel, granted=False) for one in consents.QUESTIONS]

    assert answered(any_world, card, *every) == []

    with any_world.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Consent)) == 1


def test_taking_a_yes_back_holds_at_once(any_world: World) -> None:
    card = a_card(any_world, consent=True)

    answered(any_world, card, Answer(purpose="marketing", channel="wallet", granted=False))

    with any_world.database.reading() as session:
        assert not session.get_one(Member, card.member_id).marketing_consent
        assert not consents.is_granted(session, card.member_id, "marketing", "wallet")
        assert [one.granted for one in consents.history(session, card.member_id)] == [False, True]


def test_what_nobody_is_asked_for_is_refused_by_its_place(any_world: World) -> None:
    card = a_card(any_world)

    with pytest.raises(Unprocessable, match="unknown_purpose") as refusal:
        answered(any_world, card, Answer(purpose="marketing", channel="pigeon", granted=True))

    assert "marketing.wallet" in refusal.value.errors["consents.0.purpose"]


@pytest.mark.parametrize(
    ("said", "proof", "kept"),
    [
        ("yes", "", Imported(granted=False, note="no_proof")),
        ("TRUE", "   ", Imported(granted=False, note="no_proof")),
        ("evet", "form 4711, 2024-05-03", Imported(granted=True)),
        ("no", "form 4711", Imported(granted=False)),
        ("", "", Imported(granted=False)),
        ("perhaps", "form 1", Imported(granted=False)),
    ],
)
def test_an_imported_yes_without_proof_is_a_no(said: str, proof: str, kept: Imported) -> None:
    assert consents.imported(said, proof) == kept


def test_words_that_change_get_another_version() -> None:
    told = {
        (one.key, one.version): hashlib.sha256(one.words.msgid.encode()).hexdigest()[:12] for one in consents.QUESTIONS
    }

    # who changes the words of a question raises its version, and writes both here
    assert told == KNOWN_WORDS
