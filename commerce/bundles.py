"""Bundles that a shop sends as a whole, and whose parts leave the warehouse apart."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

Quantities = Mapping[str, Decimal]  # by line


def as_they_left(
    left: Mapping[str, Quantities], shown: Mapping[str, Quantities], parts: Iterable[str]
) -> dict[str, dict[str, Decimal]]:
    """What is shown, by shipment, with each part of a bundle under the shipment with which it left.

    The shop shows a bundle with its last part. `left` is oldest first; `parts` are the lines that are parts of bundles.
    """
    zero = Decimal(0)
    found = {number: dict(quantities) for number, quantities in shown.items()}
    for line in parts:
        for number in shown:
            for earlier in left if number in left else ():
                if earlier == number:
                    break
                over = found[number].get(line, zero) - left[number].get(line, zero)
                lacks = left[earlier].get(line, zero) - found.get(earlier, {}).get(line, zero)
                part = min(over, lacks)
                if part > 0:
                    found[number][line] -= part
                    there = found.setdefault(earlier, {})
                    there[line] = there.get(line, zero) + part
    return found
