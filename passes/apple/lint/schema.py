"""The closed list: every key that Wallet knows, with the kind of its value."""

from collections.abc import Mapping
from types import MappingProxyType

from passes.apple.lint.subject import STYLES


def _words(text: str) -> list[str]:
    return text.split()


TOP: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(
        _words(
            "passTypeIdentifier teamIdentifier serialNumber organizationName description webServiceURL "
            "authenticationToken "
            "expirationDate relevantDate backgroundColor foregroundColor labelColor stripColor logoText appLaunchURL "
            "logoSymbolName"
        ),
        "text",
    )
    | dict.fromkeys(("barcodes", "relevantDates", "locations", "beacons", "featuredActions"), "objects")
    | dict.fromkeys(("voided", "suppressStripShine", "sharingProhibited"), "boolean")
    | dict.fromkeys(("formatVersion", "maxDistance"), "number")
    | dict.fromkeys(("barcode", "semantics", "nfc", *STYLES), "object")
    | {"associatedStoreIdentifiers": "numbers", "userInfo": "any"}
)
REQUIRED_KEYS = _words("formatVersion passTypeIdentifier teamIdentifier serialNumber organizationName description")
# Known to Wallet, but for other styles only.
FOREIGN = frozenset(
    _words(
        "groupingIdentifier preferredStyleSchemes eventLogoText bagPolicyURL orderFoodURL parkingInformationURL "
        "directionsInformationURL contactVenueEmail contactVenuePhoneNumber contactVenueWebsite purchaseParkingURL "
        "merchandiseURL transitInformationURL accessibilityURL addOnURL transferURL sellURL upcomingPassInformation "
        "auxiliaryStoreIdentifiers footerBackgroundColor useAutomaticColors suppressHeaderDarkening changeSeatURL "
        "entertainmentURL managementURL purchaseAdditionalBaggageURL purchaseLoungeAccessURL purchaseWifiURL "
        "registerServiceAnimalURL reportLostBagURL requestWheelchairURL trackBagsURL transitProviderEmail "
        "transitProviderPhoneNumber transitProviderWebsiteURL upgradeURL"
    )
)
FIELD: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(_words("key label changeMessage currencyCode numberStyle dateStyle timeStyle textAlignment"), "text")
    | {"value": "value", "attributedValue": "value", "isRelative": "boolean", "ignoresTimeZone": "boolean"}
    | {"dataDetectorTypes": "texts", "semantics": "object", "row": "number"}
)
NESTED: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "barcodes": dict.fromkeys(("format", "message", "messageEncoding", "altText"), "text"),
        "barcode": dict.fromkeys(("format", "message", "messageEncoding", "altText"), "text"),
        "locations": {"latitude": "number", "longitude": "number", "altitude": "number", "relevantText": "text"},
        "beacons": {"proximityUUID": "text", "major": "number", "minor": "number", "relevantText": "text"},
        "relevantDates": dict.fromkeys(("date", "relevantDate", "startDate", "endDate"), "text"),
        "nfc": {"message": "text", "encryptionPublicKey": "text", "requiresAuthentication": "boolean"},
        "featuredActions": dict.fromkeys(("identifier", "type", "url"), "text"),
    }
)
_GROUPS = dict.fromkeys(_words("headerFields primaryFields secondaryFields auxiliaryFields backFields"), "objects")
_POSTER = dict.fromkeys(_words("headerFields primaryFields footerFields backFields additionalInfoFields"), "objects")
STYLE: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "storeCard": _GROUPS,
        "coupon": _GROUPS,
        "generic": _GROUPS,
        "eventTicket": _GROUPS | {"additionalInfoFields": "objects"},
        "boardingPass": _GROUPS | {"transitType": "text", "additionalInfoFields": "objects"},
        "posterGeneric": _POSTER,
    }
)
