"""A card that comes onto its first phone is welcomed within a minute, once, whatever becomes of it."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from app.commands.serving import JOBS
from tests.conftest import postgres_database
from tests.journeys.stage import SHOWN_WITHIN_S, Stage, stage, wait_for

WELCOME = {
    "programme": "stage", "name": "Welcome", "message": {"title": "Nice to have you", "body": "The first tea is ours"},
    "trigger": {"on": "welcome"}, "goal": {"metric": "purchase", "days": 14}, "quiet_hours": False, "holdout": "0",
}  # fmt: skip
WITHIN_S = 60


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def on_stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp(f"welcome-{request.param}")
    with ExitStack() as held:
        url = f"sqlite:///{folder}/tessera.db"
        if request.param == "postgresql":
            url = held.enter_context(postgres_database(request.getfixturevalue("postgres")))
        yield held.enter_context(stage(folder, url))


def told(on_stage: Stage, campaign: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = on_stage.api.get(f"campaigns/{campaign}/recipients")["items"]
    return found


def test_the_first_phone_is_welcomed_once(on_stage: Stage) -> None:
    campaign = on_stage.api.post("campaigns", WELCOME)["id"]
    on_stage.api.post(f"campaigns/{campaign}/launch", {}, expect=200)
    on_stage.member("Form Only", marketing_consent=True)
    card = on_stage.member(marketing_consent=True)
    iphone, android = on_stage.iphone(), on_stage.android()

    on_stage.add_to_iphone(iphone, card)
    assert iphone.wait_until(lambda p: any("Nice to have you" in line for line in p.lock_screen), SHOWN_WITHIN_S)
    on_stage.add_to_android(android, card)
    iphone.delete(card["serial"])
    on_stage.add_to_iphone(iphone, card)

    # the next looks of the job find a first phone of somebody else, and nothing more of this one
    other = on_stage.member("Can Demir", marketing_consent=True)
    on_stage.add_to_iphone(on_stage.iphone("other"), other)
    wait_for(lambda: len(told(on_stage, campaign)) == 2 and all(one["at"] for one in told(on_stage, campaign)), 120)
    rows = {one["card"]: one for one in told(on_stage, campaign)}
    assert set(rows) == {card["number"], other["number"]}
    assert [one["state"] for one in rows.values()] == ["sent", "sent"]
    assert sum("Nice to have you" in line for line in iphone.lock_screen) == 1


def test_whoever_looks_for_first_phones_and_sends_does_so_well_within_a_minute() -> None:
    every_s = {job.name: job.every_s for job in JOBS}

    assert every_s["triggers_soon"] + every_s["campaigns"] < WITHIN_S / 2
