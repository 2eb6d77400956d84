"""Amounts as people read them."""

__all__ = ["amount", "between", "within"]

_THOUSANDS = 10_000
_MANY = 100


def amount(value: float) -> str:
    """A number with as many digits as it deserves: 41 k, 1,240, 12.5, 0.0421."""
    if abs(value) >= _THOUSANDS:
        return f"{value / 1000.0:,.0f} k"
    if abs(value) >= _MANY or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.3g}"


def between(low: float | None, high: float | None, value: float) -> str:
    """An interval, or the value alone where there is none or it has no width."""
    if low is None or high is None or amount(low) == amount(high):
        return amount(value)
    return f"{amount(low)} to {amount(high)}"


def within(low: float | None, high: float | None) -> str:
    """An interval in brackets, nothing where there is none."""
    return "" if low is None or high is None or amount(low) == amount(high) else f" ({amount(low)} to {amount(high)})"
