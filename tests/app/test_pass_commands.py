"""`tessera pass`, from the folder on disk to the exit code."""

import argparse
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app import pass_commands
from passes.apple import bundle, strings
from passes.apple.lint import CATALOGUE
from tests.authority import Authority, PassCertificate
from tests.passes.apple.samples import IMAGES, PASS_TYPE, TEAM, document, openssl_accepts, zipped


@pytest.fixture(scope="module")
def made() -> PassCertificate:
    return Authority(now=datetime.now(UTC)).issue_pass_certificate(PASS_TYPE, TEAM)


@pytest.fixture
def home(tmp_path: Path, made: PassCertificate) -> Path:
    (tmp_path / "identity").mkdir()
    (tmp_path / "identity" / "certificate.pem").write_bytes(made.certificate_pem)
    (tmp_path / "identity" / "key.pem").write_bytes(made.key_pem)
    (tmp_path / "identity" / "wwdr.pem").write_bytes(made.intermediate_pem)
    (tmp_path / "root.pem").write_bytes(made.root_pem)
    source = tmp_path / "card"
    source.mkdir()
    for name, data in IMAGES.items():
        (source / name).write_bytes(data)
    (source / ".DS_Store").write_bytes(b"x")
    (source / "tr.lproj").mkdir()
    (source / "tr.lproj" / "pass.strings").write_bytes(strings.write({"Points": "Puan"}))
    (source / "id.lproj").mkdir()
    (source / "id.lproj" / "pass.strings").write_bytes(strings.write({"Points": "Poin"}))
    write_card(tmp_path)
    return tmp_path


def write_card(home: Path, **changes: Any) -> None:
    (home / "card" / "pass.json").write_text(json.dumps(document(**changes), indent=2), encoding="utf-8")


def tessera(*arguments: object) -> int:
    parser = argparse.ArgumentParser(prog="tessera")
    pass_commands.add_parser(parser.add_subparsers())
    given = parser.parse_args(["pass", *(str(argument) for argument in arguments)])
    return int(given.func(given))


def build(home: Path, *more: object) -> int:
    return tessera("build", home / "card", "--identity", home / "identity", "-o", home / "out.pkpass", *more)


def test_a_folder_becomes_a_pass_that_openssl_accepts(home: Path, made: PassCertificate, tmp_path: Path) -> None:
    assert build(home) == 0

    files = bundle.read((home / "out.pkpass").read_bytes())
    assert set(files) == {
        *IMAGES,
        "tr.lproj/pass.strings",
        "id.lproj/pass.strings",
        "pass.json",
        "manifest.json",
        "signature",
    }
    assert files["pass.json"] == (home / "card" / "pass.json").read_bytes()
    assert openssl_accepts(files["signature"], files["manifest.json"], made.root_pem, tmp_path)
    assert tessera("lint", home / "out.pkpass", "--root", home / "root.pem") == 0
    assert tessera("verify", home / "out.pkpass", "--root", home / "root.pem") == 0


def test_json_and_images_may_lie_apart(home: Path) -> None:
    (home / "card" / "pass.json").rename(home / "alice.json")

    code = tessera(
        "build",
        home / "alice.json",
        "--images",
        home / "card",
        "--identity",
        home / "identity",
        "-o",
        home / "a.pkpass",
    )

    assert code == 0
    assert (home / "a.pkpass").exists()


def test_what_wallet_would_refuse_is_not_built(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_card(home, formatVersion=2, serialNumber="a/b/c/d/e")

    assert build(home) == 1

    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "[format-version]" in told
    assert "[serial-form]" in told
    assert not (home / "out.pkpass").exists()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda home: (home / "card" / "pass.json").unlink(), "pass.json: cannot be read: No such file"),
        (lambda home: (home / "card" / "pass.json").write_text("{"), "is not valid JSON"),
        (lambda home: (home / "card" / "icon.png").write_text("x"), "icon.png: is not a PNG"),
        (lambda home: (home / "card" / "logo.png").symlink_to("/etc/passwd"), "logo.png: is a symbolic link"),
        (lambda home: (home / "card" / "sub").symlink_to("/etc"), "sub: is a symbolic link"),
        (lambda home: (home / "card" / "read me.txt").write_text("x"), "use ASCII letters"),
        (lambda home: (home / "identity" / "wwdr.pem").unlink(), "wwdr.pem cannot be read: No such file"),
        (lambda home: write_card(home, teamIdentifier="OTHERTEAM1"), "belongs to team"),
        (lambda home: write_card(home, passTypeIdentifier="pass.other"), "not for pass.other"),
        (lambda home: (home / "out.pkpass").mkdir(), "out.pkpass: Is a directory"),
    ],
)
def test_each_failure_is_one_line_and_no_traceback(
    spoil: Any, told: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(home)

    assert build(home) == 1

    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert error.startswith("tessera: ")


def test_an_encrypted_key_takes_its_password_from_a_file(home: Path, made: PassCertificate) -> None:
    (home / "identity" / "key.pem").write_bytes(made.encrypted_key_pem(b"secret"))
    (home / "password").write_text("secret\n")

    assert build(home) == 1
    assert build(home, "--password-file", home / "password") == 0


def test_inspect_shows_fields_files_and_signature(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build(home)
    capsys.readouterr()

    assert tessera("inspect", home / "out.pkpass") == 0
    text = capsys.readouterr().out
    assert tessera("inspect", home / "out.pkpass", "--json") == 0
    content = json.loads(capsys.readouterr().out)

    for part in ("header: Points = 120", "icon@2x.png", "76 x 76", "language tr: 1 texts", "Pass Type ID"):
        assert part in text
    assert content["style"] == "storeCard"
    assert content["pass"] == document()
    assert content["images"]["strip@2x.png"] == "750 x 288"
    assert content["languages"] == {"tr": 1, "id": 1}
    assert content["signature"]["trusted"] == "not checked, no root given"


def test_verify_fails_for_another_root_and_for_a_changed_file(
    home: Path, made: PassCertificate, capsys: pytest.CaptureFixture[str]
) -> None:
    build(home)
    other = Authority(now=datetime.now(UTC)).issue_pass_certificate()
    (home / "other.pem").write_bytes(other.root_pem)
    files = bundle.read((home / "out.pkpass").read_bytes())
    (home / "changed.pkpass").write_bytes(zipped({**files, "pass.json": files["pass.json"] + b" "}))
    capsys.readouterr()

    assert tessera("verify", home / "out.pkpass", "--root", home / "other.pem", "--json") == 1
    assert [one["code"] for one in json.loads(capsys.readouterr().out)["findings"]] == ["chain-untrusted"]
    assert tessera("verify", home / "changed.pkpass") == 1
    assert "error manifest-digest-wrong: pass.json" in capsys.readouterr().out
    assert tessera("verify", home / "out.pkpass", "--root", home / "out.pkpass") == 1


def test_lint_lists_findings_and_fails_on_errors_only(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build(home)
    with zipfile.ZipFile(home / "out.pkpass", "a") as opened:
        opened.writestr(".DS_Store", b"x")
    write_card(home, serialNumber="7")
    capsys.readouterr()

    assert tessera("lint", home / "out.pkpass", "--json") == 1
    assert "entry-junk" in {one["code"] for one in json.loads(capsys.readouterr().out)}
    assert build(home) == 0
    assert "note serial-short" in capsys.readouterr().out
    assert tessera("lint", home / "out.pkpass") == 0


def test_every_code_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert tessera("lint", "--explain") == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split(" ")[0] for line in listed] == list(CATALOGUE)

    assert tessera("lint", "--explain", "icon-missing") == 0
    assert "add icon.png" in capsys.readouterr().out


def test_wrong_usage_is_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert tessera("lint") == 2
    assert tessera("lint", "--explain", "no-such-code") == 2
    with pytest.raises(SystemExit, match="2"):
        tessera("build", tmp_path)
    for command in ("inspect", "lint", "verify"):
        assert tessera(command, tmp_path / "absent.pkpass") == 1
    assert capsys.readouterr().err.count("No such file") == 3


@pytest.mark.parametrize("data", [b"", b"junk", b"PK\5\6" + bytes(18)])
def test_junk_is_answered_in_words(data: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.pkpass").write_bytes(data)

    codes = [tessera(command, tmp_path / "x.pkpass") for command in ("lint", "verify")]

    assert codes == [1, 1]
    tessera("inspect", tmp_path / "x.pkpass")
    assert "Traceback" not in capsys.readouterr().err
