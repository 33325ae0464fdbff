"""What a programme's campaigns are about, as members are asked what they want to hear of."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.campaigns.models import Campaign
from app.campaigns.ranking import SECURITY

MOST = 20


def of_programme(session: Session, programme_id: int) -> list[str]:
    """The topics of campaigns that were ever launched, by name. Nobody can do without what concerns security."""
    query = select(Campaign.topic).where(
        Campaign.programme_id == programme_id, Campaign.topic != "", Campaign.topic != SECURITY,
        Campaign.launched_at.is_not(None),
    )  # fmt: skip
    return list(session.scalars(query.distinct().order_by(Campaign.topic).limit(MOST)))
