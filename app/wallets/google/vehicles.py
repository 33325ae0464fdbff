"""By which of Google's ways an offer or a message reaches its people: the one with the fewest calls that is true.

What stands on a class is seen by every holder of it, and a message on a class sounds on every phone. So a class is for
what all of a tier may see, and never for what somebody of them must not be told.
"""

from dataclasses import dataclass
from enum import Enum

from app.errors import Sentence
from app.wallets.promises import OfferView

MODULES_MAX = 15
MESSAGES_MAX = 10


class Vehicle(Enum):
    """What Google is asked to show. Modules appear and leave by themselves, in silence; messages may sound."""

    CLASS_MODULE = "class_module"
    CLASS_MESSAGE = "class_message"
    OBJECT_MODULE = "object_module"
    OBJECT_MESSAGE = "object_message"

    @property
    def is_shared(self) -> bool:
        """Whether one call reaches every holder of a class."""
        return self in {Vehicle.CLASS_MODULE, Vehicle.CLASS_MESSAGE}


@dataclass(frozen=True, kw_only=True)
class Need:
    """What is to be shown to whom.

    `tells`: people are to be told now, not only to find it. `for_some`: it is for fewer than whole tiers. `holds_back`:
    somebody of those must not be told, for a comparison, for want of consent or because it would be too much. `is_own`:
    it says something of each member.
    """

    tells: bool
    for_some: bool = False
    holds_back: bool = False
    is_own: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A vehicle, how many calls it takes, and the same in a sentence."""

    vehicle: Vehicle
    calls: int

    @property
    def sentence(self) -> Sentence:
        return Sentence(_SAID[self.vehicle], calls=self.calls)


_SAID = {
    Vehicle.CLASS_MODULE: (
        "Google Wallet shows it from its start to its end by itself, without a sound: %(calls)s calls for everybody."
    ),
    Vehicle.CLASS_MESSAGE: "Google Wallet tells all holders with one message for each level: %(calls)s calls.",
    Vehicle.OBJECT_MODULE: (
        "Google Wallet shows it on each card that it is for, and takes it off at its end by itself: %(calls)s calls."
    ),
    Vehicle.OBJECT_MESSAGE: ("Google Wallet is told card by card, because not everybody may be told: %(calls)s calls."),
}


def choose(need: Need) -> Vehicle:
    """The cheapest vehicle that shows it to those it is for, and to nobody else."""
    if need.for_some or need.holds_back or need.is_own:
        return Vehicle.OBJECT_MESSAGE if need.tells else Vehicle.OBJECT_MODULE
    return Vehicle.CLASS_MESSAGE if need.tells else Vehicle.CLASS_MODULE


def of_offer(offer: OfferView) -> Vehicle:
    """How an offer by itself stands in Google Wallet; what a campaign says of it comes besides."""
    return choose(Need(tells=offer.is_told, for_some=offer.is_for_some))


def plan_of_offer(offer: OfferView, *, classes: int, cards: int) -> Plan:
    """*classes*: those of the tiers it is for; *cards*: those it is for that are held in Google Wallet."""
    vehicle = of_offer(offer)
    return Plan(vehicle=vehicle, calls=classes if vehicle.is_shared else cards)


def plan_of_campaign(offer: OfferView | None, *, cards: int) -> Plan:
    """A campaign always leaves some people out, by consent, frequency or for comparison, so it tells card by card.

    An offer that it hands out takes another call for each card, in which it is put on it.
    """
    vehicle = choose(Need(tells=True, holds_back=True))
    hands_out = offer is not None and offer.audience == "targeted"
    return Plan(vehicle=vehicle, calls=cards * 2 if hands_out else cards)
