"""Which endpoints share what: one org is one allowance of calls, and one user of it needs one probe."""

from urllib.parse import urlsplit

from activities.budget import Budget, smallest
from activities.salesforce.settings import SalesforceSettings
from settings.model import Settings, System, records_endpoint


def allowances(settings: Settings) -> dict[str, str]:
    """The allowance that each endpoint's calls count for."""
    found: dict[str, str] = {}
    for name, system in settings.systems.items():
        records, org = records_endpoint(name, system.kind), _org(system)
        found[name] = name
        found[records] = f"org:{_host(org)}" if org else records
    return found


def budgets(settings: Settings) -> dict[str, Budget]:
    """The budget of each allowance. A system with several endpoints has one for each, of the same size."""
    of: dict[str, dict[str, Budget]] = {}
    for endpoint, allowance in allowances(settings).items():
        name = next(n for n, system in settings.systems.items() if endpoint in (n, records_endpoint(n, system.kind)))
        system = settings.systems[name]
        # JustOn's hosted service has no allowance of its own in the configuration; the one given is its org's.
        calls = system.daily_calls if endpoint == records_endpoint(name, system.kind) else None
        budget = Budget(calls=calls, warn_at=system.warn_at, reserve_for_money=system.reserve_for_money)
        of.setdefault(allowance, {})[endpoint] = budget
    return {allowance: smallest(budgets) for allowance, budgets in of.items()}


def shared_probes(settings: Settings) -> dict[str, str]:
    """What one probe answers for, by endpoint; only for those that share it with another."""
    found: dict[str, str] = {}
    for name, system in settings.systems.items():
        org = _org(system)
        if org is not None and system.watch:
            found[records_endpoint(name, system.kind)] = f"{_host(org)} {org.client_id} {org.username}"
    everyone = list(found.values())
    return {endpoint: shared for endpoint, shared in found.items() if everyone.count(shared) > 1}


def _org(system: System) -> SalesforceSettings | None:
    org = getattr(system.settings, "salesforce", None)
    return org if isinstance(org, SalesforceSettings) else None


def _host(org: SalesforceSettings) -> str:
    return urlsplit(org.login_url).netloc.lower()
