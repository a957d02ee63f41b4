"""Numbers as text for the page. Pure Python for CPython and MicroPython."""

from app.language import tr

DASH = "–"
_UNITS = ("B", "kB", "MB", "GB")


def local(text: str) -> str:
    """Return a number with the decimal sign of the page's language: 0.25 -> '0,25' in German."""
    return text.replace(".", tr("."))


def plain(text: str) -> str:
    """Return a number that was typed in the page's language as Python has it: '0,25' -> '0.25' in
    German. A point is no decimal sign there: '1.000' is as likely a thousand, and no number."""
    sign = tr(".")
    return text if sign == "." else text.replace(".", "?").replace(sign, ".")


def count(number: float) -> str:
    """Group the thousands of a whole number: 53866 -> '53,866'."""
    digits = str(abs(int(number)))
    groups = []
    while digits:
        groups.append(digits[-3:])
        digits = digits[:-3]
    return ("-" if number < 0 else "") + tr(",").join(reversed(groups))


def size(amount: float) -> str:
    """Write bytes in decimal units: 9719438 -> '9.7 MB'."""
    value = float(amount)
    unit = 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value /= 1000
        unit += 1
    digits = 1 if unit and value < 99.95 else 0
    return local(f"{value:.{digits}f} {_UNITS[unit]}")


def seconds(duration: float) -> str:
    """Write a measured time: '34 ms', '2.1 s', '1:05', '2:03:04'."""
    if duration < 0.9995:
        return local(f"{duration * 1000:.0f} ms")
    if duration < 59.95:
        return local(f"{duration:.1f} s")
    return clock(duration)


def clock(duration: float) -> str:
    """Write minutes and seconds, hours if needed: 65 -> '1:05'."""
    whole = int(duration + 0.5)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours}:{minutes:02d}:{rest:02d}"
    return f"{minutes}:{rest:02d}"


def remaining(done: int, total: int, rate: float) -> str:
    """Write the time left at `rate` items a second; a dash while the rate is unknown."""
    if rate <= 0 or total <= 0:
        return DASH
    return clock(max(0, total - done) / rate)


def percent(share: float, digits: int = 1) -> str:
    """Write a share: 0.97654 -> '97.7 %'. A share below one is never '100 %'."""
    text = f"{share * 100:.{digits}f}"
    if share < 1 and float(text) >= 100:
        text = f"{100 - 10**-digits:.{digits}f}"
    return local(text + " %")


def points(value: float) -> str:
    """Write percentage points, as charts have them: 97.65 -> '97.7 %'."""
    return percent(value / 100)


def significant(value):
    """Return a number with four digits: 0.01235, 3.142, 4207."""
    size = abs(value)
    if 1000 <= size < 1e15:
        return str(round(value))
    return f"{value:.4g}"


def loss(value: float) -> str:
    """Write a loss with at least three significant digits and no exponent."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "∞"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return local(f"{value:.4f}" if abs(value) < 1 else f"{value:.3f}")


def rate(value: float) -> str:
    """Write a learning rate in two digits: 0.001, 3.2e-05."""
    return local(f"{value:.2g}")


def shape(dimensions: "tuple[int | None, ...] | list[int | None]") -> str:
    """(None, 26, 26, 8) -> '26 × 26 × 8', without the batch axis."""
    return " × ".join(str(n) for n in dimensions if n is not None)


def date(iso: str) -> str:
    """'2026-11-21T03:38:21.001Z' -> '2026-11-21 03:38' (UTC as stored)."""
    return iso[:16].replace("T", " ")
