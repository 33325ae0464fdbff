"""Consents and preferences of members."""

from sqlalchemy import select

from app.api import preferences_shapes
from app.api.calls import Body, Call, Operation, unknown
from app.api.shapes import moment
from app.cards import birthdays, consents, people, preferences
from app.cards import service as cards
from app.cards.consents import Answer, Witness
from app.cards.models import Card, Consent, Member
from app.errors import Conflict, Unprocessable


def read_consents(call: Call) -> Body:
    """What holds, and every answer ever given."""
    return _consents(call, _member(call))


def change_consents(call: Call) -> Body:
    """Write down answers; each holds from now on, also for what is planned already."""
    card = _locked(call)
    _check_proofs(call.body["consents"])
    answers = [Answer(**{**one, "language": one["language"] or ""}) for one in call.body["consents"]]
    witness = Witness(source="api", actor=call.caller.actor)
    changed = consents.answer_anew(call.session, card.member, answers, witness, now=call.now)
    if changed:
        told = {f"{one.purpose}.{one.channel}": one.granted for one in changed}
        call.record("consents_changed", f"member:{card.member.public_id}", **told)
    return _consents(call, card.member)


def read_preferences(call: Call) -> Body:
    """How a member wants to be told things."""
    return _preferences(call, _member(call))


def change_preferences(call: Call) -> Body:
    """Change how a member wants to be told things, or their birthday."""
    card, wanted = _locked(call), dict(call.body)
    if "birthday" in wanted:
        birthdays.change(call.session, card.member, _birthday(call, wanted.pop("birthday")), now=call.now)
    preferences.change(call.session, card, wanted, now=call.now)
    call.record("preferences_changed", f"member:{card.member.public_id}", fields=sorted(call.body))
    return _preferences(call, card.member)


def _check_proofs(answers: list[Body]) -> None:
    errors: dict[str, str] = {}
    for number, one in enumerate(answers):
        if one["granted"] and not one["proof"].strip():
            errors[f"consents.{number}.proof"] = "A yes needs its proof: what shows it, such as the id of a form."
    if errors:
        raise Unprocessable("proof_needed", " ".join(errors.values()), errors=errors)


def _birthday(call: Call, text: str | None) -> str | None:
    birthday = people.checked("-", birthday=text).birthday
    people.check_born(text, call.now)
    return birthday


def _member(call: Call) -> Member:
    name = call.path["member"]
    found = call.session.scalars(select(Member).where(Member.public_id == name)).one_or_none()
    if found is None or not call.caller.sees(found.programme_id):
        raise unknown("member", name)
    return found


def _locked(call: Call) -> Card:
    """The member's card, locked, and the member as they are now."""
    mine = select(Card.id).where(Card.member_id == _member(call).id)
    card = cards.lock(call.session, call.session.scalars(mine).one())
    call.session.refresh(card.member)
    if card.member.status == "erased":
        raise Conflict("member_erased", "This member was erased; there is nothing left to change.")
    return card


def _consents(call: Call, member: Member) -> Body:
    newest = consents.newest(call.session, member.id)
    return {
        "member": member.public_id,
        "consents": [_answer(newest[key]) for key in sorted(newest)],
        "history": [_answer(one) for one in consents.history(call.session, member.id)],
    }


def _answer(one: Consent) -> Body:
    return {
        "purpose": one.purpose,
        "channel": one.channel,
        "granted": one.granted,
        "text_version": one.text_version,
        "language": one.language,
        "source": one.source,
        "actor": one.actor,
        "proof": one.proof,
        "at": moment(one.at),
    }


def _preferences(call: Call, member: Member) -> Body:
    wishes = preferences.of(call.session, member)
    return {
        "member": member.public_id,
        "language": wishes.language,
        "timezone": wishes.timezone,
        "quiet_from": wishes.quiet_from,
        "quiet_to": wishes.quiet_to,
        "per_week": wishes.per_week,
        "unwanted_topics": list(wishes.unwanted_topics),
    }


OPERATIONS = (
    Operation(
        method="GET",
        rule="/members/<member>/consents",
        name="read_consents",
        summary="What a member says yes to, and every answer they ever gave",
        tag="members",
        work=read_consents,
        answer=preferences_shapes.Consents,
    ),
    Operation(
        method="PATCH",
        rule="/members/<member>/consents",
        name="change_consents",
        summary="Write down answers of a member, one for each purpose and channel",
        description="Answers are added and never changed. A no holds at once, also for messages that wait to be sent.",
        tag="members",
        scope="write",
        work=change_consents,
        body=preferences_shapes.ConsentsChange,
        answer=preferences_shapes.Consents,
    ),
    Operation(
        method="GET",
        rule="/members/<member>/preferences",
        name="read_preferences",
        summary="How a member wants to be told things",
        tag="members",
        work=read_preferences,
        answer=preferences_shapes.Preferences,
    ),
    Operation(
        method="PATCH",
        rule="/members/<member>/preferences",
        name="change_preferences",
        summary="Change language, time zone, quiet hours, frequency, topics or the birthday of a member",
        description="409 birthday_changed: a birthday can be changed once in 365 days. It can always be taken away.",
        tag="members",
        scope="write",
        work=change_preferences,
        body=preferences_shapes.PreferencesChange,
        answer=preferences_shapes.Preferences,
    ),
)
