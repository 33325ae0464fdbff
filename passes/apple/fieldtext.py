"""One field of the pass -> JSON, with every rule that Wallet applies to it."""

import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from passes.apple.jsontext import MEMO, Writer, plain, remember
from passes.apple.model import Field, Money, Semantics, Value

CURRENCY = re.compile(r"[A-Z]{3}")
HONOURED_MARKUP = re.compile(r"""<a\s+href\s*=\s*("[^"<>]*"|'[^'<>]*')\s*>|</a\s*>""", re.IGNORECASE)


def fields(out: Writer, group: str, items: Iterable[Field], seen: set[str]) -> str:
    """Encode a group; `seen` collects the keys of the whole pass, which must differ."""
    texts = []
    for field in items:
        if field.key in seen:
            out.fault(f"{group}[{field.key}]", "the key is used twice; every key of the pass must differ")
        seen.add(field.key)
        if field.text_alignment is not None or field.data_detectors is not None:
            _check_group(out, group, field)
        text: str | None = getattr(field, MEMO, None)
        if text is None:
            text = _field(out, f"{group}[{field.key}]", field)
        texts.append(text)
    return f"[{','.join(texts)}]"


def semantics(out: Writer, where: str, tags: Semantics) -> str:
    """Encode semantic tags; their amounts are text, unlike a field's."""
    parts = []
    if tags.balance is not None:
        parts.append(f'"balance":{_money(out, f"{where}.balance", tags.balance)}')
    if tags.total_price is not None:
        parts.append(f'"totalPrice":{_money(out, f"{where}.total_price", tags.total_price)}')
    if tags.wifi_access:
        networks = (
            f'{{"ssid":{out.filled(f"{where}.wifi_access", net.ssid)},'
            f'"password":{out.text(f"{where}.wifi_access", net.password)}}}'
            for net in tags.wifi_access
        )
        parts.append(f'"wifiAccess":[{",".join(networks)}]')
    return "{" + ",".join(parts) + "}"


def _check_group(out: Writer, group: str, field: Field) -> None:
    if field.text_alignment is not None and group in {"primary", "back"}:
        out.fault(f"{group}[{field.key}]", f"text_alignment is not allowed in {group} fields")
    if field.data_detectors is not None and group != "back":
        out.fault(f"{group}[{field.key}]", "data_detectors work in back fields only")


def _field(out: Writer, where: str, field: Field) -> str:
    known = len(out.problems)
    key = plain(field.key) if field.key and not field.key.isspace() else None
    parts = [f'"key":{key or out.filled(where, field.key)}']
    if field.label is not None:
        parts.append(f'"label":{plain(field.label) or out.text(f"{where}.label", field.label)}')
    parts.append(f'"value":{plain(field.value) or _value(out, f"{where}.value", field.value)}')
    if field.attributed_value is not None:
        parts.append(f'"attributedValue":{_attributed(out, f"{where}.attributed_value", field.attributed_value)}')
    if field.change_message is not None:
        parts.append(f'"changeMessage":{_change_message(out, where, field.change_message)}')
    if field.currency_code is not None or field.number_style is not None:
        _number_keys(out, where, field, parts)
    _date_keys(out, where, field, parts)
    if field.text_alignment is not None:
        parts.append(f'"textAlignment":"{field.text_alignment.value}"')
    if field.data_detectors is not None:
        names = ",".join(f'"{detector.value}"' for detector in field.data_detectors)
        parts.append(f'"dataDetectorTypes":[{names}]')
    if field.semantics is not None:
        parts.append(f'"semantics":{semantics(out, f"{where}.semantics", field.semantics)}')
    text = f"{{{','.join(parts)}}}"
    if len(out.problems) == known:
        remember(field, text)
    return text


def _value(out: Writer, where: str, value: Value) -> str:
    if isinstance(value, str):
        return out.text(where, value)
    if isinstance(value, datetime):
        return out.date(where, value)
    return out.number(where, value)


def _attributed(out: Writer, where: str, value: Value) -> str:
    if isinstance(value, str) and "<" in HONOURED_MARKUP.sub("", value):
        out.fault(where, 'only <a href="...">...</a> is honoured; write other < as &lt;')
    return _value(out, where, value)


def _change_message(out: Writer, where: str, message: str) -> str:
    if isinstance(message, str) and "%@" not in message:
        out.fault(f"{where}.change_message", "must contain %@, where the phone puts the new value")
    return plain(message) or out.text(f"{where}.change_message", message)


def _is_number(value: Value) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _number_keys(out: Writer, where: str, field: Field, parts: list[str]) -> None:
    if field.currency_code is not None:
        if not CURRENCY.fullmatch(field.currency_code):
            out.fault(where, f"currency_code {field.currency_code[:20]!r} is not three capital letters such as EUR")
        if not _is_number(field.value):
            out.fault(where, "currency_code needs a number as value, in major units (12.50)")
        if field.number_style is not None:
            out.fault(where, "currency_code and number_style exclude each other; keep one")
        parts.append(f'"currencyCode":{out.text(where, field.currency_code)}')
    if field.number_style is not None:
        if not _is_number(field.value):
            out.fault(where, "number_style needs a number as value")
        parts.append(f'"numberStyle":"{field.number_style.value}"')


def _date_keys(out: Writer, where: str, field: Field, parts: list[str]) -> None:
    is_date = isinstance(field.value, datetime)
    styled = (field.date_style is not None) + (field.time_style is not None)
    if not (is_date or styled or field.is_relative or field.ignores_time_zone):
        return
    if styled == 1:
        out.fault(where, "give both date_style and time_style; DateStyle.NONE hides a part")
    if styled and not is_date:
        out.fault(where, "date_style and time_style need a datetime as value")
    if is_date and not styled:
        out.fault(where, "a date needs date_style and time_style, or the phone shows its raw text")
    if (field.is_relative or field.ignores_time_zone) and not is_date:
        out.fault(where, "is_relative and ignores_time_zone need a datetime as value")
    if field.date_style is not None:
        parts.append(f'"dateStyle":"{field.date_style.value}"')
    if field.time_style is not None:
        parts.append(f'"timeStyle":"{field.time_style.value}"')
    if field.is_relative:
        parts.append('"isRelative":true')
    if field.ignores_time_zone:
        parts.append('"ignoresTimeZone":true')


def _money(out: Writer, where: str, money: Money) -> str:
    if not CURRENCY.fullmatch(money.currency_code):
        out.fault(where, f"currency {money.currency_code[:20]!r} is not three capital letters such as EUR")
    amount = out.number(where, money.amount)
    return f'{{"amount":"{amount}","currencyCode":{out.text(where, money.currency_code)}}}'
