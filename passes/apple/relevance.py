"""Where and when the pass shows by itself on the lock screen -> JSON."""

from passes.apple.jsontext import Writer, below, remember, remembered
from passes.apple.model import Beacon, Location, Pass, RelevantDate

LOCATIONS_MAX = 10
BEACONS_MAX = 10


def relevance(out: Writer, card: Pass, parts: list[str]) -> None:
    """Encode places, beacons and dates."""
    if len(card.locations) > LOCATIONS_MAX:
        out.fault("locations", f"holds {len(card.locations)}; Wallet takes {LOCATIONS_MAX}, so choose the nearest")
    if len(card.beacons) > BEACONS_MAX:
        out.fault("beacons", f"holds {len(card.beacons)}; Wallet takes {BEACONS_MAX}")
    if card.locations:
        parts.append(f'"locations":[{",".join([remembered(x) or _location(out, x) for x in card.locations])}]')
    if card.max_distance_m is not None:
        if below(card.max_distance_m, 0):
            out.fault("max_distance_m", "must not be negative")
        parts.append(f'"maxDistance":{out.number("max_distance_m", card.max_distance_m)}')
    if card.beacons:
        parts.append(f'"beacons":[{",".join(_beacon(out, f"beacons[{i}]", x) for i, x in enumerate(card.beacons))}]')
    if card.relevant_dates:
        dates = (_relevant_date(out, f"relevant_dates[{i}]", x) for i, x in enumerate(card.relevant_dates))
        parts.append(f'"relevantDates":[{",".join(dates)}]')


def _location(out: Writer, place: Location) -> str:
    known, where = len(out.problems), f"locations[{place.latitude}, {place.longitude}]"
    parts = []
    for name, value, limit in (("latitude", place.latitude, 90), ("longitude", place.longitude, 180)):
        if below(value, -limit) or below(-value, -limit):
            out.fault(where, f"{name} {value} is not between -{limit} and {limit}")
        parts.append(f'"{name}":{out.number(f"{where}.{name}", value)}')
    if place.altitude_m is not None:
        parts.append(f'"altitude":{out.number(f"{where}.altitude_m", place.altitude_m)}')
    if place.relevant_text is not None:
        parts.append(f'"relevantText":{out.filled(f"{where}.relevant_text", place.relevant_text)}')
    text = f"{{{','.join(parts)}}}"
    if len(out.problems) == known:
        remember(place, text)
    return text


def _beacon(out: Writer, where: str, beacon: Beacon) -> str:
    parts = [f'"proximityUUID":"{str(beacon.proximity_uuid).upper()}"']
    for name, value in (("major", beacon.major), ("minor", beacon.minor)):
        if value is not None:
            if below(value, 0) or below(-value, -65535):
                out.fault(where, f"{name} {value} is not between 0 and 65535")
            parts.append(f'"{name}":{out.number(f"{where}.{name}", value)}')
    if beacon.relevant_text is not None:
        parts.append(f'"relevantText":{out.filled(f"{where}.relevant_text", beacon.relevant_text)}')
    return "{" + ",".join(parts) + "}"


def _relevant_date(out: Writer, where: str, moment: RelevantDate) -> str:
    start = out.date(where, moment.starts_at)
    if moment.ends_at is None:
        # Early iOS 18 reads the one name, iOS 26 the other.
        return f'{{"date":{start},"relevantDate":{start}}}'
    end = out.date(where, moment.ends_at)
    if "null" not in {start, end} and moment.ends_at <= moment.starts_at:
        out.fault(where, "ends before it starts")
    return f'{{"startDate":{start},"endDate":{end}}}'
