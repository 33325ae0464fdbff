"""Tables of the rooms above this one, as far as rules ask about them.

Offers ask segments who is in; segments ask whether an offer was used. Of the two, offers stand above: what is read of
their tables is named here by hand, and a test compares it with theirs.
"""

from sqlalchemy import BigInteger, String, column, table

from app.db import Instant

OFFER = table(
    "offer",
    column("id", BigInteger),
    column("public_id", String),
    column("programme_id", BigInteger),
    column("title", String),
    column("state", String),
    column("audience", String),
    column("segment_id", BigInteger),
)
REDEMPTION = table(
    "redemption",
    column("offer_id", BigInteger),
    column("card_id", BigInteger),
    column("at", Instant),
    column("reversed_at", Instant),
)
REWARD = table(
    "reward",
    column("id", BigInteger),
    column("public_id", String),
    column("programme_id", BigInteger),
    column("name", String),
)
TAKING = table(
    "reward_taking",
    column("reward_id", BigInteger),
    column("card_id", BigInteger),
    column("state", String),
    column("created_at", Instant),
)
CLUB = table(
    "club",
    column("id", BigInteger),
    column("programme_id", BigInteger),
    column("slug", String),
    column("name", String),
)
CLUB_MEMBERSHIP = table(
    "club_membership",
    column("club_id", BigInteger),
    column("member_id", BigInteger),
    column("starts_at", Instant),
    column("ends_at", Instant),
)
STAMP_CARD = table(
    "stamp_card",
    column("public_id", String),
    column("programme_id", BigInteger),
    column("name", String),
)
CAMPAIGN = table(
    "campaign",
    column("id", BigInteger),
    column("public_id", String),
    column("programme_id", BigInteger),
    column("name", String),
    column("state", String),
    column("segment_id", BigInteger),
)
CAMPAIGN_RUN = table("campaign_run", column("id", BigInteger), column("campaign_id", BigInteger))
RECIPIENT = table(
    "recipient",
    column("run_id", BigInteger),
    column("card_id", BigInteger),
    column("state", String),
    column("at", Instant),
)
ALL = (
    OFFER, REDEMPTION, REWARD, TAKING, CLUB, CLUB_MEMBERSHIP, STAMP_CARD, CAMPAIGN, CAMPAIGN_RUN, RECIPIENT,
)  # fmt: skip
