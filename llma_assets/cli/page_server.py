"""Serves the explorer's pages to browsers of this machine: `python -m llma_assets.cli.page_server PORT PROCESS`.

No browser follows a link from Dagster's UI, a page of a server, to a file on the disk. `llma dev` starts this beside
itself; it ends with that process.
"""

import os
import re
import sys
import threading
import time
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from llma_assets.errors import InputRejected
from llma_assets.lake import Lake
from llma_assets.settings import load_settings
from llma_assets.tables.cluster_report import REPORT_PAGE
from llma_assets.team_day import TeamDay

# A name that points to this machine for a moment (DNS rebinding) is none of these.
_OWN_NAMES = {"127.0.0.1", "localhost"}
_PATH = re.compile(r"/([^/]+)/(\d{4}-\d\d-\d\d)")


class PageHandler(BaseHTTPRequestHandler):
    """Answers `GET /TEAM/DATE` with that day's page, and everything else with an error."""

    server: "PageServer"
    server_version, sys_version = "llma", ""

    def do_GET(self) -> None:
        """The page, for a request that names this machine as its host."""
        if urlsplit(f"//{self.headers.get('Host', '')}").hostname not in _OWN_NAMES:
            self.send_error(403, "this server answers to 127.0.0.1 and localhost")
            return
        page = self.server.page(urlsplit(self.path).path)
        if page is None:
            self.send_error(404, "there is no such page; /TEAM/YYYY-MM-DD")
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        # No other page may show it in a frame or read it; the rest is in the page's own policy.
        self.send_header("Content-Security-Policy", "frame-ancestors 'none'")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: requests hold what a sender chose, and Dagster's own lines are on the same terminal."""


class PageServer(ThreadingHTTPServer):
    """The pages of one lake, on the loopback address only."""

    daemon_threads = True

    def __init__(self, lake: Lake, port: int):
        super().__init__(("127.0.0.1", port), PageHandler)
        self._lake = lake

    def page(self, path: str) -> bytes | None:
        """The page that a path names; None where there is none."""
        found = _PATH.fullmatch(path)
        if not found:
            return None
        try:
            file = self._lake.path("cluster_report", TeamDay(found[1], date.fromisoformat(found[2])), REPORT_PAGE)
            return bytes(self._lake.fs.cat_file(file))
        except (InputRejected, ValueError, FileNotFoundError):
            return None


def serve_beside(process: int, port: int) -> None:
    """Serve as long as `process`, which started this one, lives."""
    server = PageServer(Lake(load_settings().lake), port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while os.getppid() == process:
        time.sleep(1)


if __name__ == "__main__":
    wanted, parent = int(sys.argv[1]), int(sys.argv[2])
    try:
        serve_beside(parent, wanted)
    except OSError as error:
        sys.stderr.write(f"links to the explorer's pages will not open: port {wanted}: {error.strerror}\n")
    except KeyboardInterrupt:
        pass
