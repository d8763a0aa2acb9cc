from tests.engine_process import ledger as ledger
from tests.engine_process import postgres_server as postgres_server
from tests.engine_process import postgres_url as postgres_url
