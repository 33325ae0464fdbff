import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.cards.models import Installation
from app.sandbox.google.callbacks import Tamper
from app.sandbox.google.faults import Fault
from app.sandbox.sandbox import Sandbox
from app.wallets.google.models import GoogleObject
from tests.app.wallets.google.conftest import Stage
from tests.conftest import application

URL = "/google/callback"


@pytest.fixture
def door(stage: Stage) -> FlaskClient:
    return application(stage.world).test_client()


@pytest.fixture
def held(stage: Stage) -> GoogleObject:
    return stage.object_row(stage.saved_card())


def signed(sandbox: Sandbox, held: GoogleObject, event: str, nonce: str, tamper: Tamper = Tamper.NOTHING) -> bytes:
    return sandbox.google.signer.body(held.sent["classId"], held.object_id, event, nonce, tamper)


def holders(stage: Stage, held: GoogleObject) -> tuple[int, bool | None]:
    row = stage.object_row(held.card_id)
    return row.holders, row.has_users


def test_a_save_is_counted_and_dated(stage: Stage, door: FlaskClient, sandbox: Sandbox, held: GoogleObject) -> None:
    answer = door.post(URL, data=signed(sandbox, held, "save", "n1"))
    assert (answer.status_code, answer.data) == (200, b"")
    assert holders(stage, held) == (1, True)
    assert stage.object_row(held.card_id).saved_at == stage.clock()


def test_a_card_is_installed_from_its_first_holder_to_its_last(
    stage: Stage, door: FlaskClient, sandbox: Sandbox, held: GoogleObject
) -> None:
    def stays() -> list[tuple[str, bool]]:
        with stage.world.database.reading() as session:
            rows = session.scalars(select(Installation).where(Installation.card_id == held.card_id))
            return [(row.wallet, row.gone_at is not None) for row in rows]

    for nonce, event in enumerate(("save", "save", "del")):
        door.post(URL, data=signed(sandbox, held, event, f"n{nonce}"))
    assert stays() == [("google", False)]
    door.post(URL, data=signed(sandbox, held, "del", "n9"))
    door.post(URL, data=signed(sandbox, held, "del", "n9"))
    assert stays() == [("google", True)]


def test_the_same_event_twice_counts_once(
    stage: Stage, door: FlaskClient, sandbox: Sandbox, held: GoogleObject
) -> None:
    for _ in range(2):
        assert door.post(URL, data=signed(sandbox, held, "save", "n1")).status_code == 200
    assert holders(stage, held) == (1, True)


def test_removals_that_overtake_their_saves_never_count_below_nothing(
    stage: Stage, door: FlaskClient, sandbox: Sandbox, held: GoogleObject
) -> None:
    door.post(URL, data=signed(sandbox, held, "del", "n1"))
    assert holders(stage, held) == (0, False)
    door.post(URL, data=signed(sandbox, held, "save", "n2"))
    door.post(URL, data=signed(sandbox, held, "save", "n3"))
    door.post(URL, data=signed(sandbox, held, "del", "n4"))
    assert holders(stage, held) == (1, True)


def test_what_was_tampered_with_is_not_believed(
    stage: Stage, door: FlaskClient, sandbox: Sandbox, held: GoogleObject
) -> None:
    forgeries = [one for one in Tamper if one is not Tamper.NOTHING]
    answers = {one: door.post(URL, data=signed(sandbox, held, "save", one.name, one)).status_code for one in forgeries}
    assert [one.name for one, status in answers.items() if not 400 <= status < 500] == []
    assert holders(stage, held) == (0, False)


def test_rubbish_is_refused_and_breaks_nothing(door: FlaskClient) -> None:
    bodies = [b"", b"[]", b"{}", b"\xff\xfe", b'{"protocolVersion": 1}', b"[" * 10_000, b"x" * 1_000_000]
    assert [400 <= door.post(URL, data=one).status_code < 500 for one in bodies] == [True] * len(bodies)


def test_a_card_that_we_do_not_know_is_none_of_our_trouble(
    door: FlaskClient, sandbox: Sandbox, held: GoogleObject
) -> None:
    body = sandbox.google.signer.body(held.sent["classId"], f"{held.object_id}-other", "save", "n1", Tamper.NOTHING)
    assert door.post(URL, data=body).status_code == 200


def test_forgeries_make_us_fetch_the_keys_once_a_minute_at_most(
    stage: Stage, door: FlaskClient, sandbox: Sandbox, held: GoogleObject
) -> None:
    before = sum(1 for one in sandbox.google.requests if one.operation == "rootKeys")
    forged = Tamper.OTHER_ROOT
    for number in range(5):
        door.post(URL, data=signed(sandbox, held, "save", f"n{number}", forged))
    fetched = sum(1 for one in sandbox.google.requests if one.operation == "rootKeys") - before
    assert fetched == 1


def test_without_keys_google_is_asked_to_come_again(
    stage: Stage, door: FlaskClient, sandbox: Sandbox, held: GoogleObject
) -> None:
    sandbox.google.script(Fault(operation="rootKeys", status=503))
    assert door.post(URL, data=signed(sandbox, held, "save", "n1")).status_code == 503
    stage.clock.advance(seconds=61)
    assert door.post(URL, data=signed(sandbox, held, "save", "n1")).status_code == 200
    assert holders(stage, held) == (1, True)
