"""Spans that are known by their form: addresses, numbers, prices. Whether a project marks them is learned.

Every expression is bounded, so that no text makes it slow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_NUMBER = r"\d{1,12}(?:[.,]\d{1,3}){0,4}"
_CURRENCY = r"(?:US\$|[$€£¥₹₽₫฿₩₺₪₱]|(?:USD|EUR|GBP|CHF|JPY|CNY|INR|AUD|CAD|THB|VND|IDR|Rp|RM|Rs)\b\.?)"
_MONEY = r"(?:dollars?|bucks|cents?|euros?|pounds?|yen|yuan|rupees?|rupiah|baht|usd|eur|gbp)"
_UNIT = (
    r"(?:mm|cm|km|m|inch(?:es)?|in|feet|foot|ft|yards?|miles?|kg|mg|g|grams?|lbs?|pounds?|oz|ml|cl|liters?|litres?|l"
    r"|kb|mb|gb|tb|mah|wh|kw|w|watts?|v|volts?|hz|khz|mhz|ghz|mp|px|fps|rpm|mph|seconds?|minutes?|mins?|hours?|hrs?"
    r"|days?|weeks?|months?|years?)"
)
PATTERNS: dict[str, re.Pattern[str]] = {
    "email": re.compile(r"(?<![\w.+-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,6}[A-Za-z]{2,24}(?!\w)"),
    "url": re.compile(
        r"(?<![\w.@-])(?:https?://[^\s<>\"']{1,2000}|www\.[^\s<>\"']{1,2000}"
        r"|(?:[A-Za-z0-9-]{1,63}\.){1,4}(?:com|net|org|info|biz|io|co|shop|store|app|edu|gov)(?![\w-])"
        r"(?:/[^\s<>\"']{0,2000})?)",
        re.IGNORECASE,
    ),
    "phone": re.compile(r"(?<![\w.,])\+?\(?\d[\d ().\-/]{5,18}\d(?![\w])"),
    "price": re.compile(
        rf"(?<!\w){_CURRENCY} ?{_NUMBER}(?: ?(?:k|million|billion)\b)?(?!\d)"
        rf"|(?<![\w.,]){_NUMBER} ?(?:{_CURRENCY}|{_MONEY}(?!\w))",
        re.IGNORECASE,
    ),
    "measure": re.compile(rf"(?<![\w.,]){_NUMBER}(?:[ -]?{_UNIT}(?!\w)| ?[%°\"”″′])", re.IGNORECASE),
    "date": re.compile(r"(?<![\w.,/-])\d{1,4}([./-])\d{1,2}\1\d{1,4}(?![\w/-])"),
    "mention": re.compile(r"(?<!\w)@\w{1,50}"),
    "hashtag": re.compile(r"(?<!\w)#\w{1,100}"),
    "code": re.compile(r"(?<![\w-])(?=[A-Z-]{0,20}\d)(?=[\d-]{0,20}[A-Z])[A-Z\d-]{4,30}(?![\w-])"),
    "number": re.compile(rf"(?<![\w.,]){_NUMBER}(?!\w)"),
}
"""By name, the more telling first."""
_CLOSING = ".,;:!?)]}»”’…*"
_PHONE_DIGITS = range(7, 16)


def matches(text: str) -> Iterator[tuple[str, int, int]]:
    """(name, start, end) of everything in the text that has one of the forms; they may overlap."""
    for name, pattern in PATTERNS.items():
        for match in pattern.finditer(text):
            start, end = match.span()
            if name == "url":
                end = start + len(match[0].rstrip(_CLOSING))
            elif name == "phone" and sum(map(str.isdigit, match[0])) not in _PHONE_DIGITS:
                continue
            if end > start:
                yield name, start, end
