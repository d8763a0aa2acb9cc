"""The org's daily allowance of calls: counted in the store, shown on every answer, refused when it is used up."""

from typing import Any

from sandbox.salesforce.errors import SalesforceError
from sandbox.salesforce.org import VENDOR, Org

DAILY_CALLS = 100_000


class Limits:
    def __init__(self, org: Org) -> None:
        self._org = org
        self._days = org.store.table(f"{VENDOR}.~calls")
        self._settings = org.store.table(f"{VENDOR}.~settings")

    @property
    def allowed(self) -> int:
        return int((self._settings.get("daily_calls") or {}).get("value", DAILY_CALLS))

    @property
    def used(self) -> int:
        return int((self._days.get(self._org.today()) or {}).get("used", 0))

    def count(self) -> None:
        """Note one call; raises REQUEST_LIMIT_EXCEEDED when the day's calls are used up."""
        today = self._org.today()
        if self.used >= self.allowed:
            raise exceeded()
        for day in self._days:
            if day != today:
                self._days.delete(day)
        self._days.put(today, {"used": self.used + 1})

    def header(self) -> dict[str, str]:
        return {"sforce-limit-info": f"api-usage={self.used}/{self.allowed}"}

    def page(self) -> dict[str, Any]:
        """`GET /limits`."""
        return {
            "DailyApiRequests": {"Max": self.allowed, "Remaining": max(self.allowed - self.used, 0)},
            "DailyBulkApiBatches": {"Max": 15_000, "Remaining": 15_000},
            "DailyBulkV2QueryJobs": {"Max": 10_000, "Remaining": 10_000},
            "ConcurrentAsyncGetReportInstances": {"Max": 200, "Remaining": 200},
            "DataStorageMB": {"Max": 1024, "Remaining": 1000},
        }


def exceeded() -> SalesforceError:
    return SalesforceError("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", status=403)
