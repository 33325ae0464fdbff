"""Places and beacons, where the pass shows itself."""

import re
from collections.abc import Iterator
from decimal import Decimal

from passes.apple.findings import Finding, Rulebook
from passes.apple.lint.subject import Json, Subject, count, objects, place, shown
from passes.apple.relevance import BEACONS_MAX, LOCATIONS_MAX

RULES = Rulebook()
LOCATIONS_MANY = RULES.warning(
    "locations-many", "Wallet takes ten locations and drops the rest", "choose the ten nearest to the holder"
)
LOCATION = RULES.error("location-incomplete", "a location needs latitude and longitude", "add the missing number")
LOCATION_RANGE = RULES.error(
    "location-range", "there is no such place on earth", "latitude is -90 to 90, longitude -180 to 180"
)
LOCATION_TEXT = RULES.note(
    "relevant-text-organization",
    "the organization's name stands beside relevantText already",
    "say what is near instead, for example the shop's street",
)
DISTANCE = RULES.warning(
    "max-distance-range", "maxDistance must be a positive number of metres", "remove it, or correct it"
)
BEACONS_MANY = RULES.warning(
    "beacons-many", "Wallet takes ten beacons and drops the rest", "share one UUID among shops"
)
BEACON_UUID = RULES.error("beacon-uuid", "a beacon needs a proximityUUID", "write a UUID with its four hyphens")
BEACON_NUMBER = RULES.error("beacon-number", "major and minor are whole numbers from 0 to 65535", "correct the number")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def check(subject: Subject) -> Iterator[Finding]:
    """Look at locations, maxDistance and beacons."""
    document = subject.document
    if (number := count(document, "locations")) > LOCATIONS_MAX:
        yield LOCATIONS_MANY.found(place("locations"), f"{number} locations")
    if (number := count(document, "beacons")) > BEACONS_MAX:
        yield BEACONS_MANY.found(place("beacons"), f"{number} beacons")
    distance = document.get("maxDistance")
    if isinstance(distance, int | Decimal) and not isinstance(distance, bool) and distance <= 0:
        yield DISTANCE.found(place("maxDistance"), shown(distance))
    for where, location in objects(document, "locations"):
        yield from _location(where, location)
        text = location.get("relevantText")
        if text and text == document.get("organizationName"):
            yield LOCATION_TEXT.found(f"{where}.relevantText")
    for where, beacon in objects(document, "beacons"):
        yield from _beacon(where, beacon)


def _location(where: str, location: Json) -> Iterator[Finding]:
    for key, limit in (("latitude", 90), ("longitude", 180)):
        value = location.get(key)
        if key not in location:
            yield LOCATION.found(where, f"{key} is missing")
        elif isinstance(value, int | Decimal) and not -limit <= value <= limit:
            yield LOCATION_RANGE.found(f"{where}.{key}", shown(value))


def _beacon(where: str, beacon: Json) -> Iterator[Finding]:
    uuid = beacon.get("proximityUUID")
    if not isinstance(uuid, str) or not _UUID.fullmatch(uuid):
        yield BEACON_UUID.found(where, shown(uuid))
    for key in ("major", "minor"):
        value = beacon.get(key)
        if isinstance(value, int | Decimal) and (value != int(value) or not 0 <= value <= 65535):
            yield BEACON_NUMBER.found(f"{where}.{key}", shown(value))
