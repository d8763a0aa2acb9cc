"""A server that gives the answers a test lays out, over real HTTP: for what no well-behaved org sends on demand."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from activities.salesforce.settings import SalesforceSettings
from activities.salesforce.wire import dumps


@dataclass
class Answer:
    status: int
    body: Any = None  # bytes are sent as they are, None is no body, all else is JSON
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Scripted:
    """`answers` are given in turn to data calls; sign-ins always succeed with token `t1`, `t2`, ..."""

    answers: list[Answer] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    sign_ins: int = 0
    url: str = ""

    def settings(self, **more: Any) -> SalesforceSettings:
        return SalesforceSettings(login_url=self.url, client_id="id", client_secret="s3cret", **more)


@contextmanager
def scripted() -> Iterator[Scripted]:
    script, lock = Scripted(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            with lock:
                if self.path == "/services/oauth2/token":
                    script.sign_ins += 1
                    given = Answer(200, {"access_token": f"t{script.sign_ins}", "instance_url": script.url})
                else:
                    script.asked.append((self.command, self.path, dict(self.headers), body))
                    given = script.answers.pop(0)
            content = b"" if given.body is None else given.body
            content = content if isinstance(content, bytes) else dumps(content).encode()
            self.send_response(given.status)
            for name, value in given.headers.items():
                self.send_header(name, value)
            if given.status != 204:
                self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = answer

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet: the test asserts on `asked`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
