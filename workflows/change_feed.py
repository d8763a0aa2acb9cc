"""Change feed: one run follows one source of changes for ever. The work is one long activity: idling costs nothing."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.changes import Feeds, Follow
    from commerce.model import Model
    from workflows.names import CONTROL_QUEUE


class FeedInput(Model):
    source: str


@workflow.defn(name="ChangeFeed")
class ChangeFeed:
    @workflow.run
    async def run(self, feed: FeedInput) -> None:
        workflow.set_current_details(f"follows **{feed.source}**")
        while not workflow.info().is_continue_as_new_suggested():
            await workflow.execute_activity_method(
                Feeds.follow,
                Follow(source=feed.source),
                task_queue=CONTROL_QUEUE,
                start_to_close_timeout=timedelta(hours=7),
                heartbeat_timeout=timedelta(seconds=30),
                retry_policy=RetryPolicy(
                    initial_interval=timedelta(seconds=1),
                    backoff_coefficient=2,
                    maximum_interval=timedelta(seconds=30),
                ),
                summary=f"follow {feed.source}",
            )
        workflow.continue_as_new(feed)
