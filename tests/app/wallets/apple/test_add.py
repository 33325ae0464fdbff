"""Issuing: what is signed verifies, what cannot be signed says why, and nothing is built twice."""

import json
import shutil
import subprocess
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from sqlalchemy import select

from app.cards import programmes
from app.cards import service as cards
from app.cards.models import Card, Programme
from app.errors import Busy, NotFound
from app.outbox.service import Lane
from app.sandbox.authority import Authority
from app.sandbox.sandbox import Sandbox
from app.wallets import view as views
from app.wallets.apple.access import pass_token
from app.wallets.apple.add import pass_json, signed_pass, signed_pass_by_link
from app.wallets.apple.issuer import ArchiveCache
from app.world import World
from tests.app.wallets.apple.conftest import PASS_TYPE, TEAM
from tests.conftest import MovableClock


def verified_by(pkpass: bytes, root: Path, folder: Path) -> bool:
    """What the openssl command says of the signature, given one trusted authority."""
    with zipfile.ZipFile(BytesIO(pkpass)) as archive:
        for name in ("signature", "manifest.json"):
            (folder / name).write_bytes(archive.read(name))
    command = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", str(folder / "signature")]
    command += ["-content", str(folder / "manifest.json"), "-CAfile", str(root), "-purpose", "any", "-out", "/dev/null"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def pass_of(pkpass: bytes) -> dict[str, object]:
    with zipfile.ZipFile(BytesIO(pkpass)) as archive:
        decoded: dict[str, object] = json.loads(archive.read("pass.json"))
    return decoded


def test_openssl_accepts_a_pass_against_its_authority_and_refuses_it_with_another(
    world: World, card: Card, sandbox: Sandbox, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "stranger")

    signed = signed_pass(world, card.id)

    assert verified_by(signed.content, sandbox.ca_file, tmp_path)
    assert not verified_by(signed.content, stranger.ca_file, tmp_path)


def test_the_pass_carries_what_the_phone_needs_for_updates(world: World, card: Card) -> None:
    content = pass_of(signed_pass(world, card.id).content)

    assert content["webServiceURL"] == f"{world.settings.base_url}/apple"
    assert content["authenticationToken"] == pass_token(world, PASS_TYPE, card.serial)
    assert (content["passTypeIdentifier"], content["serialNumber"]) == (PASS_TYPE, card.serial)
    assert (content["teamIdentifier"], content["sharingProhibited"]) == (TEAM, True)


def test_the_link_gives_the_same_pass_and_an_unknown_one_is_not_found(world: World, card: Card) -> None:
    assert signed_pass_by_link(world, card.link).content == signed_pass(world, card.id).content
    with pytest.raises(NotFound):
        signed_pass_by_link(world, "guessed")


def test_the_same_version_is_signed_once_and_the_next_one_anew(world: World, card: Card, clock: MovableClock) -> None:
    first = signed_pass(world, card.id)
    clock.advance(seconds=90)
    again = signed_pass(world, card.id)
    with world.database.unit_of_work() as session:
        cards.touch(session, cards.lock(session, card.id), lane=Lane.URGENT, now=clock())
    changed = signed_pass(world, card.id)

    assert again.content == first.content  # the moment of signing stands in it
    assert (changed.version, changed.content == first.content) == (2, False)


def test_a_new_look_is_seen_before_the_bulk_change_reaches_the_card(world: World, card: Card) -> None:
    before = pass_of(signed_pass(world, card.id).content)
    with world.database.unit_of_work() as session:
        programme = session.scalars(select(Programme)).one()
        design = replace(programmes.design_of(programme), background_color="#003300")
        programmes.change_design(session, programme, design, now=world.clock())

    after = pass_of(signed_pass(world, card.id).content)

    assert before["backgroundColor"] != after["backgroundColor"] == "rgb(0,51,0)"


def test_a_preview_is_the_pass_without_its_secret(world: World, card: Card) -> None:
    with world.database.reading() as session:
        view = views.card_view(session, session.get_one(Card, card.id), now=world.clock())

    preview = pass_json(world, view)

    issued = pass_of(signed_pass(world, card.id).content)
    assert "authenticationToken" not in preview
    assert preview == {k: v for k, v in issued.items() if k not in {"authenticationToken", "webServiceURL"}}


@pytest.fixture
def own_certs(world: World, sandbox: Sandbox, tmp_path: Path) -> tuple[World, Path]:
    """A world with a certs folder of its own, which a test may spoil."""
    shutil.copytree(sandbox.folder / "passes", tmp_path / "own-certs")
    settings = replace(world.settings, certs_dir=tmp_path / "own-certs")
    return replace(world, settings=settings), tmp_path / "own-certs" / PASS_TYPE


def test_an_expired_certificate_stops_issuing_with_the_reason(
    own_certs: tuple[World, Path], card: Card, tmp_path: Path
) -> None:
    world, folder = own_certs
    expired = Authority(tmp_path / "old").issue_pass_identity(PASS_TYPE, TEAM, valid_days=-3)
    for name in ("certificate.pem", "key.pem", "wwdr.pem"):
        shutil.copy(expired / name, folder / name)

    with pytest.raises(Busy, match="expired") as refusal:
        signed_pass(world, card.id)

    assert refusal.value.code == "no_pass_certificate"
    assert "renew" in refusal.value.public
    assert refusal.value.retry_after_s


def test_a_renewed_certificate_is_taken_up_without_a_restart(
    own_certs: tuple[World, Path], card: Card, tmp_path: Path
) -> None:
    world, folder = own_certs
    (folder / "certificate.pem").rename(folder / "elsewhere.pem")
    with pytest.raises(Busy, match=r"certificate\.pem is missing"):
        signed_pass(world, card.id)

    (folder / "elsewhere.pem").rename(folder / "certificate.pem")

    assert signed_pass(world, card.id).content


def test_an_address_that_phones_cannot_use_is_refused_and_named(world: World, card: Card) -> None:
    elsewhere = replace(world, settings=replace(world.settings, base_url="http://cards.example.com"))

    with pytest.raises(Busy, match="TESSERA_BASE_URL") as refusal:
        signed_pass(elsewhere, card.id)

    assert refusal.value.code == "unusable_pass"


def test_the_archive_cache_stays_below_its_size() -> None:
    cache = ArchiveCache(bytes_max=100)

    for number in range(10):
        cache.put((number,), (b"shared" * 99, b"x" * 30))
    cache.put(("too large",), (b"", b"x" * 101))

    assert [number for number in range(10) if cache.get((number,))] == []
    cache.put((1,), (b"", b"x" * 30))
    assert cache.get((1,)) == (b"", b"x" * 30)
