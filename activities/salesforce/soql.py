"""Text of SOQL queries: literals that cannot break out, and lists that stay within the longest address."""

from collections.abc import Iterable, Iterator

# A backslash first: it escapes the others.
_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Address and headers together may take 16,384 bytes; one character may take nine when it is percent-encoded.
LONGEST_LIST_BYTES = 6000


def quote(value: str) -> str:
    """The value as a SOQL string literal with its quotes."""
    return "'" + "".join(_ESCAPES.get(char, char) for char in value) + "'"


def chunks(values: Iterable[str], *, most: int = 200) -> Iterator[tuple[str, ...]]:
    """Distinct values in portions that fit into one `IN (...)` each, in the order given."""
    portion: list[str] = []
    used = 0
    for value in dict.fromkeys(values):
        size = len(value.encode("utf-8")) * 3 + 9
        if portion and (len(portion) >= most or used + size > LONGEST_LIST_BYTES):
            yield tuple(portion)
            portion, used = [], 0
        portion.append(value)
        used += size
    if portion:
        yield tuple(portion)


def in_list(values: Iterable[str]) -> str:
    """`('A','B')` for an IN condition."""
    return "(" + ",".join(quote(value) for value in values) + ")"
