"""Rules of the house, held by tests so that nobody has to remember them."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from flask import Flask

from app import cli
from app.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
CODE = sorted(path for room in ("app", "passes") for path in (ROOT / room).rglob("*.py"))
OWN = [path for path in CODE if "migrations/versions" not in str(path)]
LONGEST_FUNCTION = 60
LONGEST_FILE = 400
MOST_POSITIONAL = 6  # five and self
README = (ROOT / "README.md").read_text(encoding="utf-8")
FORBIDDEN_NAMES = {"utils", "helpers", "common", "manager", "misc"}
# doors that nobody signs in at: customers, phones, Google, operators' probes, and the sign-in itself
PUBLIC_ROOMS = {"enrolment", "card", "gated", "assets", "apple", "google", "static", "healthz", "readyz", "metrics"}
GUARDED_ROOMS = ("till", "marketing", "admin", "staff")
KEYED_ROOMS = {"api", "api_pages", "healthz_deep"}
PUBLIC_ENDPOINTS = {"staff.login", "staff.login_submit", "staff.code", "staff.code_submit", "staff.logout"}


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_no_file_is_longer_than_its_subject() -> None:
    long = [str(path.relative_to(ROOT)) for path in OWN if len(path.read_text().splitlines()) > LONGEST_FILE]

    assert long == []


def test_no_function_is_too_long_to_read_at_once() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{one.lineno} {one.name}"
        for path in OWN
        for one in functions(path)
        if (one.end_lineno or 0) - one.lineno + 1 > LONGEST_FUNCTION
    ]

    assert long == []


def test_few_parameters_are_positional() -> None:
    many = [
        f"{path.relative_to(ROOT)}:{one.lineno} {one.name}"
        for path in OWN
        for one in functions(path)
        if len(one.args.posonlyargs + one.args.args) > MOST_POSITIONAL
    ]

    assert many == []


def test_every_module_has_a_name_that_says_something() -> None:
    assert [str(path) for path in OWN if FORBIDDEN_NAMES & set(path.relative_to(ROOT).with_suffix("").parts)] == []


@pytest.mark.parametrize(
    ("call", "home"),
    [("datetime.now(", "app/clock.py"), ("os.environ", "app/settings.py")],
    ids=["clock", "environment"],
)
def test_time_and_environment_are_read_in_one_place(call: str, home: str) -> None:
    elsewhere = [
        str(path.relative_to(ROOT))
        for path in OWN
        if call in path.read_text(encoding="utf-8")
        and str(path.relative_to(ROOT)) != home
        and not path.is_relative_to(ROOT / "app" / "sandbox")
    ]

    assert elsewhere == []


def test_functions_import_nothing_in_their_bodies() -> None:
    inside = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in OWN
        for one in functions(path)
        for node in ast.walk(one)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]

    assert inside == []


def test_every_public_function_of_the_library_and_of_services_is_documented() -> None:
    judged = [path for path in OWN if path.is_relative_to(ROOT / "passes") or path.name == "service.py"]
    silent = [
        f"{path.relative_to(ROOT)}:{one.lineno} {one.name}"
        for path in judged
        if not path.is_relative_to(ROOT / "app" / "sandbox")
        for one in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(one, ast.FunctionDef)
        if not one.name.startswith("_") and ast.get_docstring(one) is None
    ]

    assert silent == []


def test_every_page_behind_the_counter_is_guarded(app: Flask) -> None:
    unguarded = [
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith(GUARDED_ROOMS)
        and rule.endpoint not in PUBLIC_ENDPOINTS
        and not hasattr(app.view_functions[rule.endpoint], "allowed_roles")
    ]

    assert unguarded == []


def test_every_room_is_known_to_be_public_or_guarded(app: Flask) -> None:
    rooms = {rule.endpoint.partition(".")[0] for rule in app.url_map.iter_rules()}
    unknown = rooms - PUBLIC_ROOMS - KEYED_ROOMS

    assert {room for room in unknown if not room.startswith(GUARDED_ROOMS)} == set()


def test_every_setting_is_in_the_readme() -> None:
    assert [name for name in (PREFIX + one.name.upper() for one in fields(Settings)) if f"`{name}`" not in README] == []


def test_every_command_is_in_the_readme() -> None:
    commands = next(action for action in cli.parser()._actions if action.dest == "command").choices
    assert commands is not None

    assert [name for name in commands if f"tessera {name}" not in README] == []


def test_the_lock_files_hold_versions_and_hashes_and_no_address() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"https?://|index-url", text)
        assert all("==" in line for line in text.splitlines() if re.match(r"[a-z0-9]", line))


def test_no_page_asks_another_origin_for_anything() -> None:
    templates = [*(ROOT / "app").rglob("*.html"), *(ROOT / "app").rglob("*.css"), *(ROOT / "app").rglob("*.js")]
    foreign = re.compile(r"""(?:src|href)=["']https?://|url\(["']?https?://|import .*["']https?://""")

    assert [str(path) for path in templates if foreign.search(path.read_text(encoding="utf-8"))] == []


def test_no_page_holds_a_script_or_a_style_of_its_own() -> None:
    inline = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", re.IGNORECASE)
    templates = list((ROOT / "app").rglob("*.html"))

    assert [str(path.relative_to(ROOT)) for path in templates if inline.search(path.read_text(encoding="utf-8"))] == []
