import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from passes.apple import devicelog, webservice
from passes.apple.tag import changed, decode_tag, encode_tag
from passes.errors import CallbackError
from tests.passes.apple.samples import NOW, PASS_TYPE

KEY = b"k" * 32
TOKEN = webservice.authentication_token(PASS_TYPE, "alice-0001", key=KEY)


def test_a_token_belongs_to_one_pass_and_one_key() -> None:
    others = {
        webservice.authentication_token(PASS_TYPE, "alice-0002", key=KEY),
        webservice.authentication_token(PASS_TYPE + ".x", "alice-0001", key=KEY),
        webservice.authentication_token(PASS_TYPE, "alice-0001", key=b"K" * 32),
        webservice.authentication_token(PASS_TYPE + "a", "lice-0001", key=KEY),
    }

    assert len(others) == 4
    assert TOKEN not in others
    assert webservice.authentication_token(PASS_TYPE, "alice-0001", key=KEY) == TOKEN
    assert len(TOKEN) == 64
    with pytest.raises(ValueError, match="needs 32"):
        webservice.authentication_token(PASS_TYPE, "1", key=b"short")


@pytest.mark.parametrize("header", [f"ApplePass {TOKEN}", f"ApplePass {TOKEN}".encode()])
def test_the_raw_header_of_a_phone_opens_its_pass(header: str | bytes) -> None:
    assert webservice.is_authorized(header, ["an-older-token-of-it", TOKEN])
    assert not webservice.is_authorized(header, ["another-token-of-32-characters--"])
    assert not webservice.is_authorized(header, [])


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "ApplePass",
        "ApplePass ",
        TOKEN,
        f"applepass {TOKEN}",
        f"Bearer {TOKEN}",
        f"ApplePass  {TOKEN}",
        f"ApplePass {TOKEN} x",
        f"ApplePass {TOKEN[:-1]}",
        f"ApplePass {TOKEN.upper()}",
        "ApplePass " + "ç" * 64,
        "ApplePass \u20ac" + TOKEN,
        b"ApplePass \xff\xfe" + TOKEN.encode(),
        "ApplePass " + "x" * 10_000,
    ],
)
def test_every_other_header_does_not(header: str | bytes | None) -> None:
    assert not webservice.is_authorized(header, [TOKEN])


def test_a_token_with_an_equals_sign_is_taken_whole() -> None:
    assert webservice.presented_token("ApplePass abc=defghijklmnop=") == b"abc=defghijklmnop="


def test_a_push_token_is_read_without_a_content_type() -> None:
    assert webservice.push_token(b'{"pushToken": "' + b"AB" * 32 + b'"}') == "ab" * 32
    assert webservice.push_token(b'{"pushToken": "' + b"0" * 200 + b'", "more": 1}') == "0" * 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b'{"pushToken": null}',
        b'{"pushToken": 5}',
        b'{"pushToken": "zz"}',
        b'{"pushToken": "' + b"0" * 63 + b'"}',
        b'{"pushToken": "' + b"0" * 201 + b'"}',
        b'{"pushToken": "' + b"0" * 64 + b'\\n"}',
        b'{"pushToken": "' + b"0" * 64 + b'"}' + b" " * 5000,
        b"[" * 3000,
    ],
)
def test_a_malformed_registration_is_refused(body: bytes) -> None:
    with pytest.raises(CallbackError):
        webservice.push_token(body)


def test_the_list_answer_has_strings_only() -> None:
    answer = json.loads(webservice.serials_answer(["a", "b"], encode_tag({1: 2})))

    assert answer["serialNumbers"] == ["a", "b"]
    assert isinstance(answer["lastUpdated"], str)


def test_dates_are_http_dates_in_gmt() -> None:
    moment = datetime(1994, 11, 6, 11, 49, 37, 999_999, tzinfo=ZoneInfo("Asia/Baghdad"))

    assert webservice.last_modified(moment) == "Sun, 06 Nov 1994 08:49:37 GMT"


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_we_send_we_can_read(moment: datetime) -> None:
    assume(moment.year >= 1000)
    assert webservice.parse_http_date(webservice.last_modified(moment)) == moment.replace(microsecond=0)


def test_only_the_echo_of_this_version_is_answered_304() -> None:
    modified_at = NOW - timedelta(hours=1, microseconds=-5)
    echo = webservice.last_modified(modified_at)

    assert webservice.is_unmodified(echo, modified_at)
    for other in (timedelta(seconds=1), timedelta(seconds=-1)):
        assert not webservice.is_unmodified(webservice.last_modified(modified_at + other), modified_at)


@pytest.mark.parametrize(
    "header", [None, "", "(null)", "1700000000", "2026-11-21 11:00:00", "Sun, 31 Feb 2026 00:00:00 GMT", "x" * 9999]
)
def test_an_invalid_date_is_as_none(header: str | None) -> None:
    assert webservice.parse_http_date(header) is None
    assert not webservice.is_unmodified(header, NOW)


def test_a_date_in_the_future_is_as_none_unless_it_is_this_versions_own() -> None:
    ahead = NOW + timedelta(seconds=4)

    assert not webservice.is_unmodified(webservice.last_modified(NOW + timedelta(days=400)), NOW)
    assert webservice.is_unmodified(webservice.last_modified(ahead), ahead)


numbers = st.integers(min_value=0, max_value=2**63 - 1)


@given(st.dictionaries(numbers, numbers, max_size=30))
def test_a_tag_round_trips_and_is_safe_in_an_address(versions: dict[int, int]) -> None:
    tag = encode_tag(versions)

    assert decode_tag(tag) == versions
    assert tag.replace("-", "a").replace("_", "a").isalnum()
    assert tag == encode_tag(dict(reversed(versions.items())))


@given(st.text(max_size=60))
def test_any_other_text_means_everything(text: str) -> None:
    assert decode_tag(text) is None


@given(st.dictionaries(numbers, numbers, max_size=5), st.integers(0, 500), st.sampled_from("Ab0-_="))
def test_a_changed_tag_means_everything(versions: dict[int, int], place: int, letter: str) -> None:
    tag = encode_tag(versions)
    place %= len(tag)
    damaged = tag[:place] + letter + tag[place + 1 :]

    assert decode_tag(damaged) == (versions if damaged == tag else None)


@pytest.mark.parametrize("tag", [None, "", "0", "12345", "2026-11-21T12:00:00 00:00", "AA" * 3000, "ç"])
def test_foreign_tags_mean_everything(tag: str | None) -> None:
    assert decode_tag(tag) is None


def test_numbers_beyond_the_form_are_refused() -> None:
    for wrong in ({-1: 1}, {1: -1}, {2**63: 1}, {1: 2**63}):
        with pytest.raises(ValueError, match="cannot stand in a tag"):
            encode_tag(wrong)


def test_what_changed_is_what_differs() -> None:
    current = {1: 5, 2: 7, 3: 1}

    assert changed(current, None) == {1, 2, 3}
    assert changed(current, {}) == {1, 2, 3}
    assert changed(current, {1: 5, 2: 6, 9: 9}) == {2, 3}
    assert changed(current, {1: 5, 2: 8, 3: 1}) == {2}
    assert changed(current, current) == set()


LINE = (
    "[2022-02-10 12:49:07 -0600] {task} (for device D, pass type T, serial number S; with web service url U) "
    "encountered error: {error}"
)


@pytest.mark.parametrize(
    ("task", "error", "told"),
    [
        ("Register task", "Authentication failure", ("register", "authentication")),
        ("Unregister task", "Unexpected response code 500", ("unregister", "status-500")),
        ("Get serial #s task", "Unexpected response code 401", ("list", "status-401")),
        ("Get pass task", "Received invalid pass data (the signature did not verify)", ("fetch", "invalid-pass")),
        ("Get pass task", "Received invalid pass data (leaf TemporalValidity)", ("fetch", "expired-certificate")),
        ("Get pass task", "Received invalid pass data (LeafMarkerOid)", ("fetch", "wrong-certificate")),
        ("Get pass task", "Received invalid pass data (manifest is corrupt)", ("fetch", "manifest")),
        ("Get pass task", "Requested serial number A, received serial number B", ("fetch", "wrong-pass")),
        ("Get serial #s task", "Malformed response", ("list", "malformed-answer")),
        ("Get pass task", "The request timed out.", ("fetch", "network")),
        ("Register task", "Something new", ("register", "")),
    ],
)
def test_a_line_from_a_phone_is_understood(task: str, error: str, told: tuple[str, str]) -> None:
    line = devicelog.read_log_line(LINE.format(task=task, error=error))

    assert (line.task, line.cause) == told
    assert line.error == error
    assert bool(line.hint) is bool(line.cause)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("Passes with an NFC dictionary must be signed with an enhanced certificate", "nfc-certificate"),
        ("trust chain could not be verified: leaf TemporalValidity", "expired-certificate"),
        ("hello", ""),
    ],
)
def test_other_lines_are_kept_and_explained_where_known(text: str, cause: str) -> None:
    line = devicelog.read_log_line(text)

    assert (line.text, line.task, line.cause) == (text, "", cause)


def test_lines_are_bounded_and_cannot_forge_a_log() -> None:
    body = json.dumps({"logs": ["a\nFAKE \x1b[31m\ud800", "x" * 900, 5, None, *["y"] * 30]}).encode()

    lines = devicelog.log_lines(body)

    assert lines[0].text == "a\\nFAKE \\x1b[31m\\ud800"
    assert len(lines[1].text) == devicelog.LOG_CHARACTERS_MAX
    assert len(lines) == devicelog.LOG_LINES_MAX - 2


@pytest.mark.parametrize(
    "body", [b"", b"x", b"[]", b"{}", b'{"logs": "x"}', b'{"logs": {}}', b" " * 40_000, b"[" * 9000]
)
def test_an_unreadable_log_has_no_lines(body: bytes) -> None:
    assert devicelog.log_lines(body) == ()


@given(st.binary(max_size=300))
def test_any_log_body_is_answered(body: bytes) -> None:
    assert isinstance(devicelog.log_lines(body), tuple)


def test_the_pass_type_that_a_line_speaks_of_is_read() -> None:
    line = "Get pass task (pass type pass.com.example.kahve, serial number …) encountered error: x"

    assert devicelog.pass_type_of(line) == "pass.com.example.kahve"
    assert devicelog.pass_type_of("nothing of the kind") == ""
    assert devicelog.pass_type_of("pass type " + "a" * 1000) == "a" * 155
