"""What the worker asks of the engine before it serves."""

from temporalio.client import Client
from temporalio.common import SearchAttributeKey

from settings.connect import missing_search_attributes
from workflows.names import SEARCH_ATTRIBUTES


async def test_a_namespace_without_our_search_attributes_is_told_before_an_order_is_refused(
    engine_client: Client,
) -> None:
    never_made = SearchAttributeKey.for_keyword("NeverMade")
    assert await missing_search_attributes(engine_client, (*SEARCH_ATTRIBUTES, never_made), patience=1) == ["NeverMade"]


async def test_a_namespace_with_all_of_them_is_good(engine_client: Client) -> None:
    assert await missing_search_attributes(engine_client) == []
