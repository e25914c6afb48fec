"""A small shop, as services are: it reads a file, asks a database, calls an API, runs a program.

    opentelemetry-instrument --service_name shop python examples/shop/app.py

It knows nothing of nogi_otel. One line makes an audit event of what matters to the shop itself:
``sys.audit``, which costs next to nothing while nobody listens.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import requests
from flask import Flask, abort, current_app, jsonify, request
from werkzeug.exceptions import BadRequest
from werkzeug.serving import ThreadedWSGIServer

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

FOLDER = Path(__file__).parent
PRICES = FOLDER / "prices.json"
VOUCHERS = FOLDER / "vouchers.json"
"""Nobody has written it yet: ``/error`` fails on it."""
INVOICE = FOLDER / "invoice.py"

SCHEMA = """
CREATE TABLE stock (item TEXT PRIMARY KEY, quantity INTEGER NOT NULL CHECK (quantity >= 0));
CREATE TABLE orders (
    id INTEGER PRIMARY KEY, item TEXT NOT NULL, quantity INTEGER NOT NULL, cents INTEGER NOT NULL
);
INSERT INTO stock VALUES ('tea', 100000), ('cup', 100000), ('pot', 0);
"""


class Shop(NamedTuple):
    """Where this shop keeps its data and finds its other half, and how it proves who it is."""

    database: Path
    stock_url: str
    stock_token: str
    invoice_password: str


app = Flask(__name__)


@app.post("/orders")
def place_order() -> ResponseReturnValue:
    """Sell something: ``{"item": "tea", "quantity": 2}``."""
    item, quantity = read_order(request.get_json())
    with PRICES.open(encoding="utf-8") as file:
        prices: dict[str, int] = json.load(file)
    if item not in prices:
        abort(404, f"no such item: {item}")
    if ask_stock(item) < quantity:
        abort(409, f"not enough of it: {item}")
    cents = prices[item] * quantity
    with closing(sqlite3.connect(get_shop().database)) as connection, connection:
        cursor = connection.cursor()
        cursor.execute("UPDATE stock SET quantity = quantity - ? WHERE item = ?", (quantity, item))
        cursor.execute(
            "INSERT INTO orders (item, quantity, cents) VALUES (?, ?, ?)", (item, quantity, cents)
        )
        order_id = cursor.lastrowid
    invoice = write_invoice(order_id, cents)
    sys.audit("shop.order.approved", order_id, cents / 100)
    return jsonify(order=order_id, item=item, quantity=quantity, invoice=invoice), 201


@app.get("/orders/<int:order_id>")
def show_order(order_id: int) -> ResponseReturnValue:
    """Tell what was ordered."""
    row = query("SELECT item, quantity, cents FROM orders WHERE id = ?", order_id)
    if row is None:
        abort(404, f"no such order: {order_id}")
    return jsonify(order=order_id, item=row[0], quantity=row[1], amount=row[2] / 100)


@app.get("/stock/<item>")
def show_stock(item: str) -> ResponseReturnValue:
    """Tell how much there is, to whoever knows the token."""
    if request.headers.get("Authorization") != f"Bearer {get_shop().stock_token}":
        abort(401)
    row = query("SELECT quantity FROM stock WHERE item = ?", item)
    return jsonify(item=item, quantity=row[0] if row else 0)


@app.get("/slow")
def dawdle() -> ResponseReturnValue:
    """Take ``?seconds=`` to answer, half a second unless told, ten at most."""
    seconds = min(max(0.0, request.args.get("seconds", 0.5, type=float)), 10.0)
    time.sleep(seconds)
    return jsonify(seconds=seconds)


@app.get("/error")
def fail() -> ResponseReturnValue:
    """Fail, because a file is missing."""
    return jsonify(json.loads(VOUCHERS.read_text(encoding="utf-8")))


def get_shop() -> Shop:
    """Return the shop that this process runs."""
    shop: Shop = current_app.config["SHOP"]
    return shop


def read_order(order: Any) -> tuple[str, int]:
    """Return the item and the quantity that an order names, or refuse it."""
    match order:
        case {"item": str(item), "quantity": int(quantity)} if 0 < quantity <= 100:
            return item, quantity
    raise BadRequest('an order is {"item": "tea", "quantity": 2}, with at most 100 of it')


def query(statement: str, *parameters: object) -> Any:
    """Return the first row of an answer, over a connection of its own."""
    with closing(sqlite3.connect(get_shop().database)) as connection:
        return connection.cursor().execute(statement, parameters).fetchone()


def ask_stock(item: str) -> int:
    """Return how much there is, as the stock service says; here, that is this process too."""
    shop = get_shop()
    answer = requests.get(
        f"{shop.stock_url}/stock/{item}",
        headers={"Authorization": f"Bearer {shop.stock_token}"},
        timeout=10,
    )
    answer.raise_for_status()
    quantity: int = answer.json()["quantity"]
    return quantity


def write_invoice(order_id: int | None, cents: int) -> str:
    """Return the invoice that another program writes. A password in its arguments: do not copy."""
    command = [sys.executable, "-I", str(INVOICE), f"--order={order_id}", f"--cents={cents}"]
    command.append(f"--password={get_shop().invoice_password}")
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    """Serve on loopback until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description="A small shop, on loopback.")
    parser.add_argument("--port", type=int, default=8000, help="0 is any free one")
    port = parser.parse_args().port
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        tempfile.TemporaryDirectory(prefix="shop-") as folder,
        contextlib.suppress(KeyboardInterrupt),
    ):
        server = ThreadedWSGIServer("127.0.0.1", port, app)
        server.daemon_threads = False  # the end waits for the requests that are being answered
        url = f"http://127.0.0.1:{server.server_port}"
        app.config["SHOP"] = Shop(
            Path(folder, "shop.db"),
            url,
            os.environ.get("SHOP_STOCK_TOKEN", "not-a-real-token"),
            os.environ.get("SHOP_INVOICE_PASSWORD", "not-a-real-password"),
        )
        with closing(sqlite3.connect(app.config["SHOP"].database)) as connection:
            connection.executescript(SCHEMA)
        print(f"ready {url} pid {os.getpid()}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
