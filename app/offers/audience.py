"""Which cards an offer is for, as the cards' own room asks."""

from app.cards.ranges import Audience
from app.offers.models import Offer


def whom(offer: Offer) -> Audience:
    """The cards that an offer may stand on; a targeted one only on those that it was granted to."""
    one = () if offer.tier_id is None else (offer.tier_id,)
    return Audience(
        programme_id=offer.programme_id,
        tiers=tuple(sorted({*one, *offer.tiers})),
        segment_id=offer.segment_id if offer.audience == "segment" else None,
        granted_offer_id=offer.id if offer.audience == "targeted" else None,
    )
