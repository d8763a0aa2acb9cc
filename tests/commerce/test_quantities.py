"""The quantity ledger: the same documents in any order, any number of times, give the same counts, never too many."""

from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce.quantities import Conflict, Entry, Kind, QuantityLedger

LINES = ("1", "2", "3")
quantities = st.dictionaries(st.sampled_from(LINES), st.integers(1, 6).map(Decimal), min_size=1)
entries = st.lists(
    st.builds(Entry, kind=st.sampled_from(list(Kind)), document=st.sampled_from("ABCDEF"), quantities=quantities),
    max_size=12,
    unique_by=lambda entry: (entry.kind, entry.document),
)
ordered = st.fixed_dictionaries({line: st.integers(1, 8).map(Decimal) for line in LINES})


def entry(kind: Kind, document: str, **lines: int) -> Entry:
    return Entry(kind=kind, document=document, quantities={k.strip("_"): Decimal(v) for k, v in lines.items()})


@given(ordered, entries, st.randoms())
def test_order_and_repeats_of_documents_change_nothing(
    placed: dict[str, Decimal], given_: list[Entry], random: object
) -> None:
    heard = [*given_, *given_]
    random.shuffle(heard)  # type: ignore[attr-defined]
    assert QuantityLedger(placed, heard).balance() == QuantityLedger(placed, given_).balance()


@given(ordered, entries)
def test_no_count_ever_goes_beyond_what_is_open_and_each_is_the_sum_of_its_documents(
    placed: dict[str, Decimal], given_: list[Entry]
) -> None:
    balance = QuantityLedger(placed, given_).balance()
    for counts in balance.lines.values():
        assert counts.shipped + counts.cancelled <= counts.ordered
        assert counts.refunded <= counts.invoiced <= counts.ordered
        assert counts.returned <= counts.shipped
    left_out = {(beyond.kind, beyond.document) for beyond in balance.beyond}
    fit = [each for each in given_ if (each.kind, each.document) not in left_out]
    for kind in Kind:
        counted = sum(counts.count(kind) for counts in balance.lines.values())
        assert counted == sum(sum(each.quantities.values()) for each in fit if each.kind is kind)


@given(ordered, entries)
def test_documents_that_were_asked_for_before_they_were_made_all_count(
    placed: dict[str, Decimal], given_: list[Entry]
) -> None:
    ledger = QuantityLedger(placed)
    for each in given_:
        if not ledger.would(each):
            ledger.take(each)
    assert ledger.balance().beyond == ()


def test_a_shipment_that_goes_beyond_the_order_counts_not_at_all_and_is_named() -> None:
    ledger = QuantityLedger({"1": Decimal(5), "2": Decimal(1)})
    ledger.take(entry(Kind.SHIP, "SH1", _1=3, _2=1))
    ledger.take(entry(Kind.SHIP, "SH2", _1=3))
    balance = ledger.balance()
    assert balance.lines["1"].shipped == 3
    assert [beyond.words() for beyond in balance.beyond] == ["SH2: 3 of line 1 cannot be shipped, 2 are open"]


def test_a_refund_heard_before_its_invoice_counts_when_the_invoice_is_there() -> None:
    documents = [entry(Kind.REFUND, "R1", _1=2), entry(Kind.INVOICE, "I1", _1=5), entry(Kind.SHIP, "S1", _1=5)]
    for heard in permutations(documents):
        ledger = QuantityLedger({"1": Decimal(5)})
        for each in heard:
            ledger.take(each)
        assert ledger.balance().lines["1"].refunded == 2
        assert ledger.balance().beyond == ()


def test_a_document_with_other_content_under_the_same_number_is_refused() -> None:
    ledger = QuantityLedger({"1": Decimal(5)}, [entry(Kind.SHIP, "SH1", _1=3)])
    assert not ledger.take(entry(Kind.SHIP, "SH1", _1=3))
    with pytest.raises(Conflict, match="SH1 shipped 3 of line 1 and now 2 of line 1"):
        ledger.take(entry(Kind.SHIP, "SH1", _1=2))


def test_a_line_that_the_order_has_not_is_beyond_it() -> None:
    balance = QuantityLedger({"1": Decimal(5)}, [entry(Kind.INVOICE, "I1", _9=1)]).balance()
    assert [beyond.words() for beyond in balance.beyond] == ["I1: 1 of line 9 cannot be invoiced, 0 are open"]
