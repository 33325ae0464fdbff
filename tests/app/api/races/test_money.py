"""Money on cards, asked for by many tills at once through two server processes, on both databases."""

from collections import Counter

from tests.app.api.races.house import NUMBERS, TIMES, Answer, House


def gift_card(house: House, amount: str) -> str:
    """The number of a new card with that much on it."""
    body = {"programme": house.programme.slug, "amount": amount, "funding_reference": f"F{next(NUMBERS)}"}
    number: str = house.made("/gift-cards", body)["number"]
    return number


def left(house: House, number: str) -> str:
    balance: str = house.get(f"/gift-cards/{number}")["balance"]
    return balance


def test_payments_of_sixty_from_a_hundred_are_one(house: House) -> None:
    for turn in range(TIMES):
        number, times = gift_card(house, "100.00"), 20 if turn else 100
        found = house.outcomes(lambda _, number=number: house.post(f"/cards/{number}/pay", {"amount": "60.00"}), times)

        assert found == {"201": 1, "422 partial_offered": times - 1}
        assert left(house, number) == "40.00"


def test_fifty_loads_with_one_reference_are_one(house: House) -> None:
    for turn in range(TIMES):
        number, times = gift_card(house, "1.00"), 20 if turn else 50
        body = {"amount": "60.00", "funding_reference": f"BANK {number}"}
        found = house.outcomes(lambda _, path=f"/cards/{number}/load", body=body: house.post(path, body), times)

        assert found == {"201": 1, "409 duplicate_funding_reference": times - 1}
        assert left(house, number) == "61.00"


def test_one_reference_loads_one_of_many_cards(house: House) -> None:
    numbers = [gift_card(house, "1.00") for _ in range(10)]
    for turn in range(TIMES):
        body = {"amount": "2.00", "funding_reference": f"BANK {numbers[0]} {turn}"}
        found = house.outcomes(lambda n, body=body: house.post(f"/cards/{numbers[n]}/load", body), 10)

        assert found == {"201": 1, "409 duplicate_funding_reference": 9}
    assert sum(float(left(house, number)) for number in numbers) == 10 + 2 * TIMES


def test_one_payment_is_refunded_once_by_many(house: House) -> None:
    for _ in range(TIMES):
        number = gift_card(house, "100.00")
        paid = house.made(f"/cards/{number}/pay", {"amount": "70.00"})["transaction"]["id"]
        ways = (f"/transactions/{paid}/refund", {}), (f"/transactions/{paid}/reverse", {"reason": "x"})
        found = house.outcomes(lambda n, ways=ways: house.post(*ways[n % 2]), 20)

        assert found == {"201": 1, "409 already_reversed": 19}
        assert left(house, number) == "100.00"


def test_parts_of_a_payment_that_are_refunded_at_once_never_exceed_it(house: House) -> None:
    for _ in range(TIMES):
        number = gift_card(house, "100.00")
        paid = house.made(f"/cards/{number}/pay", {"amount": "100.00"})["transaction"]["id"]
        found = house.outcomes(lambda _, path=f"/transactions/{paid}/refund": house.post(path, {"amount": "30.00"}), 10)

        assert found == {"201": 3, "422 exceeds_original": 7}
        assert left(house, number) == "90.00"


def test_a_stopped_card_pays_nothing_after_the_answer(house: House) -> None:
    for _ in range(TIMES):
        number = gift_card(house, "100.00")

        def one(turn: int, number: str = number) -> Answer:
            if turn == 5:
                return house.post(f"/gift-cards/{number}/block", {"reason": "stolen"})
            return house.post(f"/cards/{number}/pay", {"amount": "1.00"})

        found = house.outcomes(one, 20)

        paid = found["201"]
        assert found == Counter({"200": 1, "201": paid, "409 void_card": 19 - paid})
        assert left(house, number) == f"{100 - paid}.00"
        assert one(0).outcome == "409 void_card"


def test_a_lost_card_is_replaced_once_and_no_payment_is_lost(house: House) -> None:
    for _ in range(TIMES):
        number = gift_card(house, "100.00")

        def one(turn: int, number: str = number) -> Answer:
            if turn % 10 == 5:
                return house.post(f"/gift-cards/{number}/replace", {"reason": "lost"})
            return house.post(f"/cards/{number}/pay", {"amount": "1.00"})

        answers = house.at_once(one, 20)

        new = [answer.body for answer in answers if answer.status == 201 and "pin" in answer.body]
        paid = sum(answer.status == 201 and "pin" not in answer.body for answer in answers)
        assert len(new) == 1
        assert {answer.outcome for answer in answers} <= {"201", "409 void_card"}
        assert (left(house, number), left(house, new[0]["number"])) == ("0.00", f"{100 - paid}.00")


def test_a_refund_beside_a_replacement_arrives_on_the_card_that_has_the_money(house: House) -> None:
    for _ in range(TIMES):
        number = gift_card(house, "100.00")
        paid = house.made(f"/cards/{number}/pay", {"amount": "60.00"})["transaction"]["id"]
        ways = (f"/transactions/{paid}/refund", {}), (f"/gift-cards/{number}/replace", {"reason": "lost"})
        answers = house.at_once(lambda n, ways=ways: house.post(*ways[n]), 2)

        assert [answer.outcome for answer in answers] == ["201", "201"]
        assert left(house, answers[1].body["number"]) == "100.00"


def test_guessing_with_many_tills_at_once_gains_no_try(house: House) -> None:
    for _ in range(TIMES):
        number = gift_card(house, "1000.00")
        found = house.outcomes(
            lambda n, number=number: house.post(f"/cards/{number}/pay", {"amount": "600.00", "pin": f"{n:04d}x"}), 10
        )

        assert found == {"403 wrong_pin": 5, "409 pin_locked": 5}
        assert left(house, number) == "1000.00"
