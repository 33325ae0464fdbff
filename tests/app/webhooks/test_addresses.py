"""Where webhooks may go: a table of addresses that must not be reached, in every spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.webhooks import addresses
from app.webhooks.addresses import REFUSALS, Refused, destination

PUBLIC = ("93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946")
FORBIDDEN = [
    ("127.0.0.1", "loopback"),
    ("127.8.8.8", "loopback"),
    ("::1", "loopback"),
    ("10.1.2.3", "private"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.168.1.1", "private"),
    ("fc00::1", "private"),
    ("fd12:3456::1", "private"),
    ("169.254.169.254", "link_local"),
    ("169.254.0.1", "link_local"),
    ("fe80::1", "link_local"),
    ("fe80::1%eth0", "link_local"),
    ("fd00:ec2::254", "link_local"),
    ("100.100.100.200", "link_local"),
    ("168.63.129.16", "link_local"),
    ("100.64.0.1", "shared"),
    ("100.127.255.255", "shared"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.250", "multicast"),
    ("ff02::1", "multicast"),
    ("0.0.0.0", "reserved"),
    ("255.255.255.255", "reserved"),
    ("240.0.0.1", "reserved"),
    ("192.0.0.1", "reserved"),
    ("192.0.2.1", "reserved"),
    ("198.18.0.1", "reserved"),
    ("198.51.100.1", "reserved"),
    ("203.0.113.1", "reserved"),
    ("::", "reserved"),
    ("2001:db8::1", "reserved"),
    ("100::1", "reserved"),
    ("5f00::1", "reserved"),
    ("::ffff:127.0.0.1", "embedded"),
    ("::ffff:93.184.216.34", "embedded"),
    ("::7f00:1", "embedded"),
    ("64:ff9b::7f00:1", "embedded"),
    ("64:ff9b:1::1", "embedded"),
    ("2002:7f00:1::", "embedded"),
    ("2001:0:7f00:1::", "embedded"),
]
MALFORMED = [
    ("", "malformed"),
    ("shop.example.com/hook", "malformed"),
    ("https://", "malformed"),
    ("https:///hook", "malformed"),
    ("https://shop example.com/", "malformed"),
    ("https://shop.example.com/ü", "malformed"),
    ("https://shop.example.com\\@127.0.0.1/", "malformed"),
    ("https://shop.example.com/\r\nHost: x", "malformed"),
    ("https://shop.example.com/#part", "malformed"),
    ("https://[::1", "malformed"),
    ("https://-shop.example.com/", "malformed"),
    ("https://shop..example.com/", "malformed"),
    ("https://shop.example.com:99999/", "malformed"),
    ("https://shop.example.com:0/", "malformed"),
    ("https://" + "a" * 2000 + ".com/", "malformed"),
    ("https://%31%32%37.0.0.1/", "malformed"),
    ("http://shop.example.com/", "not_https"),
    ("ftp://shop.example.com/", "not_https"),
    ("file:///etc/passwd", "not_https"),
    ("gopher://shop.example.com/", "not_https"),
    ("https://shop.example.com:8443/", "port"),
    ("https://shop.example.com:22/", "port"),
    ("https://me:word@shop.example.com/", "credentials"),
    ("https://shop.example.com@127.0.0.1/", "credentials"),
    ("https://@127.0.0.1/", "credentials"),
    ("https://2130706433/", "numeric"),
    ("https://0x7f000001/", "numeric"),
    ("https://0x7f.0.0.1/", "numeric"),
    ("https://127.1/", "numeric"),
    ("https://0177.0.0.1/", "numeric"),
    ("https://127.0.0.1./", "numeric"),
]


def refusal_of(url: str, *found: str, allowed: frozenset[str] = frozenset()) -> str | None:
    try:
        destination(url, allowed=allowed, resolve=lambda _host, _port: found)
    except Refused as refused:
        return refused.code
    return None


def test_public_addresses_are_taken_and_connected_to_as_they_were_judged() -> None:
    to = destination("https://Shop.Example.com/hook?x=1", allowed=(), resolve=lambda _host, _port: PUBLIC)

    assert (to.host, to.port, to.addresses) == ("shop.example.com", 443, PUBLIC)


@pytest.mark.parametrize(("address", "code"), FORBIDDEN)
def test_a_name_that_leads_to_a_forbidden_address_is_refused(address: str, code: str) -> None:
    assert refusal_of("https://shop.example.com/", address) == code
    assert refusal_of("https://shop.example.com/", PUBLIC[0], address) == code


@pytest.mark.parametrize(("address", "code"), [one for one in FORBIDDEN if "%" not in one[0]])
def test_a_forbidden_address_written_out_is_refused_without_asking_name_servers(address: str, code: str) -> None:
    host = f"[{address}]" if ":" in address else address

    assert refusal_of(f"https://{host}/", PUBLIC[0]) == code


@pytest.mark.parametrize(("url", "code"), MALFORMED)
def test_an_address_that_is_not_plain_is_refused(url: str, code: str) -> None:
    assert refusal_of(url, PUBLIC[0]) == code


def test_a_name_that_leads_nowhere_is_refused() -> None:
    def nowhere(_host: str, _port: int) -> list[str]:
        raise OSError("Name or service not known")

    with pytest.raises(Refused, match="unresolved"):
        destination("https://shop.example.com/", allowed=(), resolve=nowhere)
    assert refusal_of("https://shop.example.com/") == "unresolved"


def test_a_named_neighbour_may_be_private_and_plain_and_on_another_port() -> None:
    allowed = frozenset({"hooks.internal:8080", "127.0.0.1:9000", "::1:9000"})

    assert refusal_of("http://hooks.internal:8080/x", "10.0.0.7", allowed=allowed) is None
    assert refusal_of("https://hooks.internal:8080/x", "127.0.0.1", allowed=allowed) is None
    assert refusal_of("http://127.0.0.1:9000/x", allowed=allowed) is None
    assert refusal_of("http://[::1]:9000/x", allowed=allowed) is None
    assert refusal_of("http://[0:0:0:0:0:0:0:1]:9000/x", allowed=allowed) is None


def test_naming_a_neighbour_opens_nothing_else() -> None:
    allowed = frozenset({"hooks.internal:8080"})

    assert refusal_of("http://hooks.internal:8081/", "10.0.0.7", allowed=allowed) == "not_https"
    assert refusal_of("https://hooks.internal/", "10.0.0.7", allowed=allowed) == "private"
    assert refusal_of("http://hooks.internal:8080/", "169.254.169.254", allowed=allowed) == "link_local"


@given(
    st.one_of(
        st.text(max_size=60),
        st.text(max_size=40).map("https://{}/".format),
        st.from_regex(r"https?://[^/]{1,30}:?[0-9]{0,6}/", fullmatch=True),
    )
)
def test_any_text_is_judged_or_refused_and_never_leads_inside(url: str) -> None:
    asked: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return [PUBLIC[0]]

    try:
        to = destination(url, allowed=(), resolve=resolve)
    except Refused:
        return
    assert to.port == 443
    assert to.addresses == (PUBLIC[0],) if asked else to.addresses == (to.host,)


def test_every_refusal_has_a_sentence_that_says_what_to_do() -> None:
    codes = {code for _, code in FORBIDDEN + MALFORMED} | {"unresolved"}

    assert codes == set(REFUSALS)
    assert all(text.endswith(".") for text in REFUSALS.values())


def test_this_machine_resolves_its_own_name_to_loopback() -> None:
    assert {
        addresses.refusal(addresses.ipaddress.ip_address(one)) for one in addresses.system_resolver("localhost", 443)
    } == {"loopback"}
