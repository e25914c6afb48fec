"""The program of nogi's own documentation, on loopback: it asks a web server once a second.

    python examples/sample.py [URL]

Without a URL it asks a server of its own.
"""

import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import requests

from nogi_otel import Nogi

Nogi()


def main() -> None:
    """Ask, print, sleep."""
    url = sys.argv[1] if len(sys.argv) > 1 else start_server()
    print("pid", os.getpid(), "asks", url, flush=True)
    for _ in range(1000):
        r = requests.get(url, timeout=10)
        print(r.status_code, flush=True)
        time.sleep(1)


class Encyclopedia(BaseHTTPRequestHandler):
    """Has one page."""

    def do_GET(self) -> None:
        """Answer with it, whatever was asked."""
        page = b"Python is a programming language.\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        """Leave the terminal to the sample."""


def start_server() -> str:
    """Serve it in a thread, on a free port of this machine; give the page's address."""
    server = HTTPServer(("127.0.0.1", 0), Encyclopedia)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/wiki/Python"


if __name__ == "__main__":
    main()
