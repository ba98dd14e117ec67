"""The instance metadata service of a made-up VM."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler

from tests.probes.machine import VM


class Metadata(BaseHTTPRequestHandler):
    """The instance metadata service, as strict about its header as the real one."""

    answer = VM
    asked: tuple[str, ...] = ()

    def do_GET(self) -> None:
        type(self).asked = (*self.asked, self.path)
        fine = self.headers["Metadata"] == "true" and "X-Forwarded-For" not in self.headers
        self.send_response(200 if fine else 400)
        self.end_headers()
        self.wfile.write(self.answer.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name of the base class
        pass
