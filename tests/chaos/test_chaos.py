"""The short form of the proof: whatever strikes, nothing is lost, nothing doubled, nothing unexplained.

The long form is `make chaos ORDERS=1000 SEED=7`; docs/chaos.md says what it does.
"""

import os
import shutil

from tests.chaos import trouble
from tests.chaos.play import new_folder, play

ORDERS = 26
SEED = int(os.environ.get("CHAOS_SEED", "7"))


async def test_every_fault_and_every_kill_leaves_one_document_per_event() -> None:
    folder = new_folder(SEED)
    verdict = await play(ORDERS, SEED, folder)
    told = "\n".join(f"{one['kind']}: {one['order']}: {one['what']}" for one in verdict.findings)
    assert verdict.ok, f"{verdict.line}\n{told}\nagain: {verdict.repeat}\ndata and logs: {folder}"
    kinds = {kind.name for those in trouble.KINDS.values() for kind in those}
    kinds |= {f"notification {kind.name}" for kind in trouble.NOTIFICATION_KINDS} | {"outage"}
    assert set(verdict.faults) == kinds, "a kind of fault never struck"
    assert set(verdict.kills) == {"worker", "api", "temporal", "postgres"}
    shutil.rmtree(folder, ignore_errors=True)
