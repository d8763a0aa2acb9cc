"""Record ids: 15 characters with case, or 18 with a suffix that keeps the case readable (contract section 1)."""

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
POD = "5e0"


def make(prefix: str, number: int) -> str:
    """The 18-character id of the n-th row of an object; later rows sort after earlier ones."""
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = DIGITS[rest] + digits
    return lengthen(prefix + POD + digits.rjust(9, "0"))


def lengthen(short: str) -> str:
    """15 to 18 characters: one suffix character for each block of five, bit n for an upper-case character n."""
    suffix = ""
    for start in (0, 5, 10):
        block = short[start : start + 5]
        suffix += SUFFIX[sum(1 << n for n, char in enumerate(block) if "A" <= char <= "Z")]
    return short + suffix


def normal(value: object) -> str | None:
    """The 18-character form of an id in either form, or None when it is not an id."""
    if not isinstance(value, str) or len(value) not in (15, 18) or any(char not in DIGITS for char in value):
        return None
    if len(value) == 15:
        return lengthen(value)
    if lengthen(value[:15]) == value:
        return value
    return _repair(value)


def _repair(value: str) -> str | None:
    """An 18-character id whose case was lost: the suffix says which characters are upper case."""
    short = ""
    for block_number, flag in enumerate(value[15:].upper()):
        bits = SUFFIX.find(flag)
        if bits < 0:
            return None
        for n, char in enumerate(value[block_number * 5 : block_number * 5 + 5]):
            short += char.upper() if bits >> n & 1 else char.lower()
    return short + value[15:].upper() if lengthen(short) == short + value[15:].upper() else None


USER_ID = make("005", 1)  # the integration user: the first user of every org
