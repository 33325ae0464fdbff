from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passes.apple import strings
from passes.errors import InvalidPass

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(st.dictionaries(texts.filter(bool), texts, max_size=5))
def test_any_translation_round_trips(translations: dict[str, str]) -> None:
    assert strings.read(strings.write(translations)) == translations


def test_the_file_is_utf_16_with_a_mark_and_escaped() -> None:
    data = strings.write({'Say "hi"\\': "Söyle\n🎉"})

    assert data[:2] == b"\xff\xfe"
    assert data.decode("utf-16") == '"Say \\"hi\\"\\\\" = "Söyle\\n🎉";\n'


def test_files_of_others_are_read() -> None:
    text = '/* a "comment" */\n// another\n"a"="b";  "c"\n=\n"d\\U00e7";'

    assert strings.read(text.encode()) == {"a": "b", "c": "dç"}
    assert strings.read(text.encode("utf-16-be").join([b"\xfe\xff", b""])) == {"a": "b", "c": "dç"}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'"a" = "b"', "line 1 is not of the form"),
        (b'"a" = "b";\n\n"c" = d;', "line 3 is not of the form"),
        (b"/* no end", "line 1 is not of the form"),
        ('"a" = "b";'.encode("utf-16-le"), "without a byte order mark"),
        (b'"a" = "\xff";', "neither UTF-16"),
        (b"\xff\xfe\x00", "neither UTF-16"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(data: bytes, told: str) -> None:
    with pytest.raises(InvalidPass, match=told):
        strings.read(data)


@pytest.mark.parametrize("wrong", [{"": "x"}, {"a": "\0"}, {"\ud800": "x"}])
def test_what_cannot_be_written_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidPass):
        strings.write(wrong)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(InvalidPass):
        assert isinstance(strings.read(data), dict)


@pytest.mark.parametrize("part", [b"/* ", b"/* */", b'"', b'"\\', b"// ", b" \n"])
def test_hostile_repetition_ends_soon(part: bytes) -> None:
    """A pattern that backtracks would not come back from this in a lifetime."""
    with suppress(InvalidPass):
        strings.read(part * 30_000 + b"x")
