"""Student's distribution, which the standard library does not have."""

import math

LARGE = 1e6  # beyond so many degrees of freedom it is the normal one, to seven digits
STEPS = 200
TINY = 1e-300
EXACT = 1e-14


def quantile(share: float, freedom: float) -> float:
    """The value below which that share lies; *share* above a half, *freedom* above zero."""
    freedom = min(freedom, LARGE)
    low, high = 0.0, 1.0
    while below(high, freedom) < share:
        low, high = high, high * 2
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle, freedom) < share else (low, middle)
    return (low + high) / 2


def below(value: float, freedom: float) -> float:
    """The share that lies below *value*, which is not negative."""
    return 1 - _beta(freedom / (freedom + value * value), freedom / 2, 0.5) / 2


def _beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1) / (a + b + 2):  # the fraction below converges slowly here
        return 1 - _beta(1 - x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    return front * _fraction(x, a, b) / a


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the beta function, by Lentz's method."""
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    result = d
    for m in range(1, STEPS):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _not_zero(1 + step * d)
            c = _not_zero(1 + step / c)
            result *= d * c
        if abs(d * c - 1) < EXACT:
            break
    return result


def _not_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY
