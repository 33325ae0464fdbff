"""The finder of each trigger."""

from collections.abc import Callable

from sqlalchemy.orm import Session

from app.campaigns.occasions import absence, arriving, birthday, collecting, days, ending, levels
from app.campaigns.occasions.due import Asked, Found

FINDERS: dict[str, Callable[[Session, Asked], Found]] = {
    "welcome": arriving.welcome,
    "thanks": arriving.thanks,
    "near_reward": collecting.near_reward,
    "milestone": collecting.milestone,
    "tier_reached": levels.reached,
    "tier_ending": levels.ending,
    "points_expiring": ending.points,
    "win_back": absence.win_back,
    "birthday": birthday.congratulated,
    "occasion": days.of_calendar,
}
