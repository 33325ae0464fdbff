import hashlib
import io
import json
import struct
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.apple import archive, bundle
from passes.apple.archive import Limits
from passes.apple.building import build, build_own
from passes.apple.bundle import Artwork
from passes.apple.encode import encode
from passes.apple.signing import Signer
from passes.errors import BundleError, IdentityError, InvalidPass
from tests.passes.apple.samples import IMAGES, NOW, card, png, zipped

Files = dict[str, bytes]


def test_a_built_pass_is_a_plain_archive_of_stored_entries(signer: Signer, artwork: Artwork) -> None:
    data = build(card(), artwork, signer, at=NOW)

    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert opened.testzip() is None
        infos = opened.infolist()
        assert {info.filename for info in infos} == {*IMAGES, "pass.json", "manifest.json", "signature"}
        assert {(info.compress_type, info.flag_bits, info.date_time) for info in infos} == {
            (0, 0, (1980, 1, 1, 0, 0, 0))
        }
        assert opened.read("pass.json") == encode(card())
        for info in infos:
            sizes = struct.unpack_from("<LL", data, info.header_offset + 18)
            assert sizes == (info.file_size, info.file_size)


def test_the_manifest_lists_the_digest_of_every_other_file(signer: Signer, artwork: Artwork) -> None:
    files = bundle.read(build(card(), artwork, signer, at=NOW))

    manifest = json.loads(files["manifest.json"])

    assert manifest == {
        name: hashlib.sha1(data).hexdigest()
        for name, data in files.items()
        if name not in {"manifest.json", "signature"}
    }


def test_equal_cards_at_one_moment_give_equal_bytes(signer: Signer) -> None:
    first = build(card(), Artwork.prepare(IMAGES), signer, at=NOW)
    again = build(card(), Artwork.prepare(dict(reversed(IMAGES.items()))), signer, at=NOW)

    assert first == again


def test_the_own_part_behind_the_artwork_makes_the_same_pass(signer: Signer, artwork: Artwork) -> None:
    own = build_own(card(), artwork, signer, at=NOW)

    assert artwork.local + own == build(card(), artwork, signer, at=NOW)
    assert len(own) < 8_000


def test_translations_of_one_pass_are_added(signer: Signer, artwork: Artwork) -> None:
    texts = {"tr": {"Points": "Puan"}, "zh-Hans": {"Points": "积分"}}

    files = bundle.read(build(card(), artwork, signer, at=NOW, translations=texts))

    assert files["tr.lproj/pass.strings"].startswith(b"\xff\xfe")
    assert "积分" in files["zh-Hans.lproj/pass.strings"].decode("utf-16")
    with pytest.raises(InvalidPass, match="exact case"):
        build(card(), artwork, signer, at=NOW, translations={"zh-hans": {"a": "b"}})


def test_a_text_is_translated_in_one_place_only(signer: Signer) -> None:
    shared = Artwork.prepare({**IMAGES, "tr.lproj/pass.strings": b'"a" = "b";'})

    with pytest.raises(InvalidPass, match="is in the artwork already"):
        build(card(), shared, signer, at=NOW, translations={"tr": {"c": "d"}})


def test_a_card_of_another_pass_type_or_team_is_not_signed(signer: Signer, artwork: Artwork) -> None:
    with pytest.raises(IdentityError, match=r"not for pass\.com\.example\.other"):
        build(card(pass_type_identifier="pass.com.example.other"), artwork, signer, at=NOW)
    with pytest.raises(IdentityError, match="belongs to team"):
        build(card(team_identifier="ZZZZZZZZZZ"), artwork, signer, at=NOW)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"logo.png": png(160, 50)}, "icon.png: is missing"),
        ({**IMAGES, "Logo.png": png(1, 1)}, "Wallet knows no such image"),
        ({**IMAGES, "logo.png": b"\xff\xd8\xff\xe0"}, "is not a PNG"),
        ({**IMAGES, "logo.png": png(160, 50)[:-4]}, "is cut short"),
        ({**IMAGES, "pass.json": b"{}"}, "is made for each pass"),
        ({**IMAGES, "../x.png": png(1, 1)}, "use ASCII letters"),
        ({**IMAGES, "çay.png": png(1, 1)}, "use ASCII letters"),
        ({**IMAGES, "EN.lproj/logo.png": png(1, 1)}, "exact case"),
        ({**IMAGES, "tr.lproj/logo@2x.png": png(1, 1)}, "at the top level wins"),
        ({**IMAGES, "tr.lproj/pass.strings": b'"a" "b";'}, "line 1 is not of the form"),
    ],
)
def test_artwork_that_wallet_would_refuse_is_refused(files: Files, told: str) -> None:
    with pytest.raises(InvalidPass) as caught:
        Artwork.prepare(files)

    assert any(told in problem for problem in caught.value.problems)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(BundleError):
        assert isinstance(bundle.read(data), dict)


WHOLE = zipped({"pass.json": b"{}" * 50, "icon.png": png(38, 38)}, method=zipfile.ZIP_DEFLATED)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255), st.integers(0, 8))
def test_a_damaged_archive_is_read_or_refused(place: int, change: int, cut: int) -> None:
    damaged = WHOLE[:place] + bytes([WHOLE[place] ^ change]) + WHOLE[place + 1 :]
    with suppress(BundleError):
        bundle.read(damaged[: len(damaged) - cut])


@given(st.dictionaries(st.from_regex(r"[a-z]{1,9}\.[a-z]{1,3}", fullmatch=True), st.binary(max_size=50), max_size=5))
def test_files_round_trip(files: Files) -> None:
    assert bundle.read(zipped(files)) == files
    assert bundle.read(zipped(files, method=zipfile.ZIP_DEFLATED)) == files


def bomb() -> bytes:
    """Entries that all point at the same megabytes of deflated zeros."""
    inner = zipped({"a": bytes(4_000_000)}, method=zipfile.ZIP_DEFLATED)
    directory = inner.rfind(b"PK\1\2")
    central = inner[directory : inner.rfind(b"PK\5\6")]
    return inner[:directory] + central * 50 + archive.end(50, len(central) * 50, directory)


def linked() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as opened:
        info = zipfile.ZipInfo("icon.png")
        info.create_system = 3
        info.external_attr = 0o120777 << 16
        opened.writestr(info, "/etc/passwd")
    return sink.getvalue()


def twice() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as opened:
        opened.writestr("a", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            opened.writestr("a", b"2")
    return sink.getvalue()


def encrypted() -> bytes:
    data = bytearray(zipped({"a": b"1"}))
    data[6] |= 1
    data[data.rfind(b"PK\1\2") + 8] |= 1
    return bytes(data)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (bomb, "unpack"),
        (linked, "is a symbolic link"),
        (twice, "is in the archive twice"),
        (encrypted, "is encrypted"),
        (lambda: zipped({"../../etc/x": b""}), "leads out of the pass"),
        (lambda: zipped({"/etc/x": b""}), "leads out of the pass"),
        (lambda: zipped({"a\\b": b""}), "leads out of the pass"),
        (lambda: zipped({f"{i}.png": b"" for i in range(301)}), "at most 300 are read"),
        (lambda: zipped({"a" * 201: b""}), "1 to 200 are accepted"),
        (lambda: zipped({"a": bytes(8_400_000)}), "at most 8,388,608"),
        (lambda: bytes(17_000_000), "at most 16,777,216 are read"),
        (lambda: b"junk" + zipped({"a": b"1"}), "before or after the archive"),
        (lambda: zipped({"a": b"1"}) + b"junk", "no ZIP archive|before or after"),
        (lambda: zipped({"a": b"1"})[:-10], "cut short"),
        (lambda: b"", "no ZIP archive"),
        (lambda: zipped({"a": b"12345"}).replace(b"12345", b"12346", 1), "does not match its checksum"),
    ],
)
def test_a_hostile_archive_is_refused_with_the_reason(make: object, told: str) -> None:
    with pytest.raises(BundleError, match=told):
        bundle.read(make())  # type: ignore[operator]


def test_limits_can_be_tightened() -> None:
    with pytest.raises(BundleError, match="at most 1 are read"):
        bundle.read(zipped({"a": b"", "b": b""}), Limits(entries=1))


def test_folders_are_left_out() -> None:
    assert bundle.read(zipped({"tr.lproj/": b"", "tr.lproj/pass.strings": b"x"})) == {"tr.lproj/pass.strings": b"x"}


def test_several_passes_travel_in_one_bundle(signer: Signer, artwork: Artwork) -> None:
    passes = [build(card(serial_number=f"alice-{i}"), artwork, signer, at=NOW) for i in range(3)]

    assert bundle.read_many(bundle.pack_many(passes)) == passes


def test_a_bundle_has_one_to_ten_passes() -> None:
    for wrong in ([], [b"x"] * 11):
        with pytest.raises(BundleError, match="1 to 10 passes"):
            bundle.pack_many(wrong)
    with pytest.raises(BundleError, match=r"is not a \.pkpass"):
        bundle.read_many(zipped({"virus.exe": b""}))
    with pytest.raises(BundleError, match="the bundle is empty"):
        bundle.read_many(zipped({}))
