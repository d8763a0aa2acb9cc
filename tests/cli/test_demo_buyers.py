"""Buyers fill in the page's form as a browser would."""

from cli.demo.buyers import read_form

PAGE = """
<html><body><h1>Pay</h1><input name="outside" value="no">
<form method="post" action="/pay/1?x=1&amp;y=2">
  <input type="radio" name="method" value="Card" checked><input type="radio" name="method" value="Bank">
  <input type="checkbox" name="news" value="yes"><input name="amount"><input type="hidden" name="csrf" value="a&amp;b">
  <button type="submit" name="action" value="pay">Pay</button><button name="action" value="fail">Fail</button>
</form>
<form><button name="action" value="other">Other</button></form></body></html>
"""


def test_a_form_is_sent_with_what_is_checked_and_filled_in() -> None:
    form = read_form(PAGE)
    assert form is not None
    assert form.action == "/pay/1?x=1&y=2"
    assert form.fields == {"method": "Card", "amount": "", "csrf": "a&b"}
    assert form.buttons == [("action", "pay"), ("action", "fail")]


def test_a_page_without_a_form_asks_for_nothing() -> None:
    assert read_form("<p>This payment has been made.</p>") is None
