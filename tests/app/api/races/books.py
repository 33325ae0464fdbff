"""What must hold after every race, whoever won it."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.coupons.models import Coupon
from app.earning import budgets
from app.ledger import verify
from app.ledger.models import Entry
from app.offers import budgets as offer_budgets
from app.offers.models import Offer, Redemption
from app.rewards.models import Reward, Slot, Taking
from app.value import liability
from tests.app.api.races.house import House

IN_USE = ("held", "taken", "waiting")


def differences(house: House) -> list[str]:
    """What does not add up: the ledger, budgets, counters of rewards and offers, codes, and money that is owed."""
    with house.world.database.reading() as session:
        found = [str(one) for one in verify.differences(session)]
        found += [*budgets.differences(session), *offer_budgets.differences(session)]
        found += [*_rewards(session), *_slots(session), *_offers(session), *_codes(session)]
        if not liability.report(session, house.programme, now=house.world.clock()).is_exact:
            found.append("what is owed on cards is not what was loaded, paid and refunded")
        return found


def _rewards(session: Session) -> list[str]:
    uses = select(func.count()).where(Taking.reward_id == Reward.id, Taking.state.in_(IN_USE)).scalar_subquery()
    query = select(Reward.name, Reward.used, uses).where(Reward.used != uses)
    return [f"{name} says it was used {used} times, its takings are {taken}" for name, used, taken in
            session.execute(query)]  # fmt: skip


def _slots(session: Session) -> list[str]:
    places = (
        select(func.count()).where(Taking.slot_id == Slot.id, Taking.state.in_(("held", "taken"))).scalar_subquery()
    )
    query = select(Slot.public_id, Slot.taken, places).where(Slot.taken != places)
    return [f"{name} says {taken} places are taken, its bookings are {booked}" for name, taken, booked in
            session.execute(query)]  # fmt: skip


def _offers(session: Session) -> list[str]:
    uses = (
        select(func.count()).where(Redemption.offer_id == Offer.id, Redemption.reversed_at.is_(None)).scalar_subquery()
    )
    query = select(Offer.title, Offer.used, uses).where(Offer.used != uses)
    return [f"{title} says it was used {used} times, its uses are {found}" for title, used, found in
            session.execute(query)]  # fmt: skip


def _codes(session: Session) -> list[str]:
    """A code that is used names the entry that used it, on the card that it names."""
    query = (
        select(Coupon.id)
        .outerjoin(Entry, Entry.id == Coupon.entry_id)
        .where(Coupon.used_at.is_not(None), (Entry.id.is_(None)) | (Entry.card_id != Coupon.card_id))
    )
    return [f"code {one} was used by no entry of its card" for one in session.scalars(query)]
