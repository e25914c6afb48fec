"""Every configuration of the Collector that we give away is valid, and does what it says."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nogi_otel.cli.service import Service
from nogi_otel.cli.shop import build_command, build_environment
from nogi_otel.cli.verdict import judge, read_accounts

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
FULL = ROOT / "collector-config.yaml"
MINIMAL = ROOT / "examples" / "collector" / "minimal.yaml"
TLS = ROOT / "examples" / "collector" / "tls.yaml"
CONFIGURATIONS = [
    FULL,
    MINIMAL,
    TLS,
    ROOT / "examples" / "compose" / "collector.yaml",
]
TOKEN = "a-token-of-the-tests"  # noqa: S105 - no secret


@pytest.mark.parametrize(
    "configuration", CONFIGURATIONS, ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_configuration_is_valid(
    configuration: Path, find_program: Callable[[str], str], tmp_path: Path
) -> None:
    """The real Collector takes it, and knows no newer name for anything in it."""
    finished = subprocess.run(
        [find_program("otelcol"), "validate", "--config", str(configuration)],
        env={"OTELCOL_STATE": str(tmp_path), "OTELCOL_FILES": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert "deprecated" not in finished.stderr


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_minimal_configuration_keeps_all(
    protocol: str,
    start_collector: Callable[..., Any],
    start_shop: Callable[..., Any],
    play: Callable[..., Any],
) -> None:
    """What the demo demands holds of the two files that a minimal Collector writes."""
    collector = start_collector("minimal", MINIMAL)
    shop = start_shop(collector.endpoint(protocol), protocol)

    def read() -> Any:
        return collector.read_evidence("logs.jsonl", "traces.jsonl")

    visits = play(shop, read)
    assert collector.backend.end() == 0
    evidence = read()
    assert judge(evidence, visits) == []
    assert (
        len(evidence.logs)
        == read_accounts(evidence.list_lifecycle("nogi.window.closed")[0])["exported"]
    )
    output = collector.backend.output
    assert "deprecated" not in output
    assert "python.audit.subprocess.Popen" in output, "the debug exporter prints the events"


@pytest.fixture
def run_program(tmp_path: Path) -> Callable[..., None]:
    """Run a program of one's own under opentelemetry-instrument, from its start to its end."""

    def run(source: str, endpoint: str, **variables: str) -> None:
        folder = tmp_path / "program"
        folder.mkdir()
        program = folder / "app.py"
        program.write_text(
            "import signal, sys\n"
            "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
            f"{source}"
            "print('ready http://127.0.0.1:1', flush=True)\n"
            "signal.pause()\n",
            encoding="utf-8",
        )
        command = [*build_command(None)[:2], str(program)]
        environment = build_environment(endpoint, "http/protobuf")
        environment |= {"OTEL_PYTHON_NOGI_START": "open", **variables}
        with Service(command, environment, tmp_path / "program.log") as service:
            service.end()

    return run


def test_audit_events_have_a_pipeline_of_their_own(
    start_collector: Callable[..., Any],
    find_ports: Callable[[int], list[int]],
    run_program: Callable[..., None],
    wait_until: Callable[..., Any],
) -> None:
    """The application's logs reach the store but not the audit file; noise reaches neither."""
    jaeger, tempo = find_ports(2)
    store = start_collector("store", MINIMAL)
    collector = start_collector(
        "collector",
        FULL,
        OTELCOL_JAEGER=f"127.0.0.1:{jaeger}",
        OTELCOL_TEMPO=f"127.0.0.1:{tempo}",
        OTELCOL_LOGS=f"http://127.0.0.1:{store.http}",
    )
    run_program(
        "from opentelemetry._logs import LogRecord, get_logger\n"
        "sys.audit('own.call', 'audited')\n"
        "sys.audit('marshal.loads', 'noise')\n"
        "get_logger('app').emit(LogRecord(body='own line'))\n",
        collector.endpoint("http/protobuf"),
        OTEL_PYTHON_NOGI_EVENTS="own.*,marshal.loads",
    )

    def is_delivered() -> bool:
        kept = (store.files / "logs.jsonl").read_text(encoding="utf-8")
        return "own line" in kept and "nogi.window.closed" in kept

    wait_until(is_delivered, "both kinds of log records in the store")
    stored = (store.files / "logs.jsonl").read_text(encoding="utf-8")
    audited = (collector.files / "audit-logs.jsonl").read_text(encoding="utf-8")
    assert "python.audit.own.call" in stored
    assert "python.audit.own.call" in audited
    assert "own line" not in audited
    assert "marshal.loads" not in stored.replace("own.*,marshal.loads", "")
    assert '"key":"event_name","value":{"stringValue":"python.audit.own.call"}' in audited


def test_redaction_takes_what_the_application_lets_slip(
    start_collector: Callable[..., Any],
    find_ports: Callable[[int], list[int]],
    run_program: Callable[..., None],
    wait_until: Callable[..., Any],
) -> None:
    """With our own rules lifted, the Collector's take a token and a URL's password."""
    jaeger, tempo, logs = find_ports(3)
    collector = start_collector(
        "collector",
        FULL,
        OTELCOL_JAEGER=f"127.0.0.1:{jaeger}",
        OTELCOL_TEMPO=f"127.0.0.1:{tempo}",
        OTELCOL_LOGS=f"http://127.0.0.1:{logs}",
    )
    run_program(
        "sys.audit('own.call', 'postgres://me:hunter22@db/x', 'Bearer abcdefgh12345678', 'free')\n",
        collector.endpoint("http/protobuf"),
        OTEL_PYTHON_NOGI_UNREDACT="*",
    )

    def find() -> Any:
        evidence = collector.read_evidence("audit-logs.jsonl", "traces.jsonl")
        return [event for event in evidence.logs if event.name == "own.call"]

    (event,) = wait_until(find, "the event")
    told = f"{event.body} {dict(event.attributes)}"
    assert "free" in told
    for secret in ("hunter22", "abcdefgh12345678"):
        assert secret not in told


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two authorities; a server and a client of the first, a client of the second."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificates")

    def run(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for authority in ("ca", "other-ca"):
        run("req", "-x509", *key, "-days", "2", "-subj", f"/CN={authority}", "-out",
            f"{authority}.crt", "-keyout", f"{authority}.key")  # fmt: skip
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for name, authority in (("server", "ca"), ("client", "ca"), ("stranger", "other-ca")):
        run("req", "-new", *key, "-subj", f"/CN={name}", "-out", f"{name}.csr", "-keyout",
            f"{name}.key")  # fmt: skip
        run("x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.crt", "-CAkey",
            f"{authority}.key", "-CAcreateserial", "-days", "2", "-extfile", "names", "-out",
            f"{name}.crt")  # fmt: skip
    (folder / "token").write_text(f"{TOKEN} # of the tests\n")
    ssl.create_default_context(cafile=str(folder / "ca.crt"))
    return folder


def trust(certificates: Path, client: str, token: str) -> dict[str, str]:
    """Return the variables of an application that shows a certificate and a token."""
    variables = {
        "OTEL_EXPORTER_OTLP_CERTIFICATE": str(certificates / "ca.crt"),
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{token}",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "2",
    }
    if client:
        variables["OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"] = str(certificates / f"{client}.crt")
        variables["OTEL_EXPORTER_OTLP_CLIENT_KEY"] = str(certificates / f"{client}.key")
    return variables


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_tls_configuration_takes_a_client_that_it_knows(
    protocol: str,
    certificates: Path,
    start_collector: Callable[..., Any],
    start_shop: Callable[..., Any],
    play: Callable[..., Any],
) -> None:
    """With a certificate of the authority and the token, everything arrives."""
    collector = start_collector("tls", TLS, OTELCOL_TLS=str(certificates))
    endpoint = collector.endpoint(protocol).replace("http://127.0.0.1", "https://localhost")
    shop = start_shop(endpoint, protocol, **trust(certificates, "client", TOKEN))

    def read() -> Any:
        return collector.read_evidence("logs.jsonl", "traces.jsonl")

    visits = play(shop, read)
    assert collector.backend.end() == 0
    assert judge(read(), visits) == []


@pytest.mark.parametrize(
    ("client", "token"), [("", TOKEN), ("stranger", TOKEN), ("client", "another-token")]
)
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_tls_configuration_refuses_a_stranger(
    *,
    protocol: str,
    client: str,
    token: str,
    certificates: Path,
    start_collector: Callable[..., Any],
    start_shop: Callable[..., Any],
    place_orders: Callable[..., Any],
) -> None:
    """Nothing of it arrives, and its requests are answered all the same."""
    collector = start_collector("tls", TLS, OTELCOL_TLS=str(certificates))
    endpoint = collector.endpoint(protocol).replace("http://127.0.0.1", "https://localhost")
    variables = trust(certificates, client, token) | {"OTEL_PYTHON_NOGI_START": "open"}
    shop = start_shop(endpoint, protocol, **variables)
    place_orders(shop, 2)
    shop.end()
    assert collector.backend.end() == 0
    evidence = collector.read_evidence("logs.jsonl", "traces.jsonl")
    assert not evidence.logs
    assert not evidence.lifecycle
    assert not evidence.spans
