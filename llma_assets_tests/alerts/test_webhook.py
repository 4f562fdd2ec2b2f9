"""S14, S20: a message goes to the address that was checked, over TLS for the name, and nowhere else."""

import socket
from collections.abc import Iterator

import pytest

from llma_assets.alerts.webhook import Webhook, webhook_from_environment
from llma_assets.errors import InputRejected
from llma_assets_tests.alerts.receiver import Receiver, free_port, receiving, trusting

PUBLIC = "93.184.215.14"
BODY, HEADERS = b'{"a": 1}', {"Content-Type": "application/json", "Idempotency-Key": "k"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://hooks.example.com/x", "https://"),
        ("ftp://hooks.example.com/x", "https://"),
        ("https:///x", "https://"),
        ("https://user:secret-word@hooks.example.com/x", "user name or password"),
        ("https://secret-word@hooks.example.com/x", "user name or password"),
        ("https://hooks.example.com:8443/secret-word", "port 8443"),
        ("https://hooks.example.com:99999/secret-word", "not a URL"),
        ("https://hooks.example.com/secret-word with space", "printable"),
        ("https://hooks.example.com/secret-word\r\nX: y", "printable"),
        ("https://hööks.example.com/secret-word", "printable"),
        ("https://[fe80::1%25eth0]/secret-word", "%"),
        ("https://hooks.example.com/secret-word" + "x" * 2_000, "2000"),
    ],
    ids=lambda text: text[:30].encode("ascii", "replace").decode() if text.startswith(("http", "ftp")) else "",
)
def test_urls_that_are_refused_by_name_of_the_setting(url: str, why: str) -> None:
    with pytest.raises(InputRejected, match="LLMA_ALERT_WEBHOOK_URL") as refused:
        Webhook(url)
    assert why in str(refused.value)
    assert "secret-word" not in str(refused.value)


def test_without_leave_nothing_is_sent_to_this_machine() -> None:
    with receiving(tls=True) as receiver:
        webhook = Webhook(
            "https://localhost/x", connect=lambda *_: socket.create_connection(("127.0.0.1", receiver.port))
        )
        answer = webhook.send(BODY, HEADERS)
    assert "private network or of this machine" in (answer.error or "")
    assert receiver.requests == []


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001"])
def test_other_spellings_of_this_machine_are_refused_too(host: str) -> None:
    answer = Webhook(f"https://{host}/x").send(BODY, HEADERS)
    assert answer.status_code is None
    assert "private network or of this machine" in (answer.error or "")


def test_one_bad_address_among_good_ones_is_enough() -> None:
    webhook = Webhook("https://hooks.example.test/x", resolve=lambda *_: [PUBLIC, "169.254.169.254"])
    assert "link-local" in (webhook.send(BODY, HEADERS).error or "")


def test_a_name_that_changes_its_address_reaches_nothing() -> None:
    """DNS rebinding: the second look at the name would give this machine. There is no second look."""
    looks, connected = [], []

    def rebinding(host: str, port: int) -> list[str]:
        looks.append(host)
        return [PUBLIC] if len(looks) == 1 else ["127.0.0.1"]

    with receiving(tls=True) as receiver:

        def connect(address: str, port: int, timeout_s: float) -> socket.socket:
            connected.append((address, port))
            return socket.create_connection(("127.0.0.1", receiver.port), timeout_s)

        webhook = Webhook("https://hooks.example.test/x?q=1", resolve=rebinding, connect=connect, tls=trusting())
        answer = webhook.send(BODY, HEADERS)
    assert (answer.status_code, answer.error) == (200, None)
    assert (looks, connected) == (["hooks.example.test"], [(PUBLIC, 443)])
    (request,) = receiver.requests
    assert request["path"] == "/x?q=1"
    assert request["headers"]["Host"] == "hooks.example.test"
    assert request["headers"]["Idempotency-Key"] == "k"
    assert request["body"] == BODY


@pytest.mark.parametrize("case", ["other name", "unknown issuer"])
def test_the_certificate_is_that_of_the_name(case: str) -> None:
    host = "other.example.test" if case == "other name" else "hooks.example.test"
    with receiving(tls=True) as receiver:
        webhook = Webhook(
            f"https://{host}/x",
            resolve=lambda *_: [PUBLIC],
            connect=lambda *_: socket.create_connection(("127.0.0.1", receiver.port)),
            tls=trusting() if case == "other name" else None,
        )
        answer = webhook.send(BODY, HEADERS)
    assert "TLS" in (answer.error or "") and "CERTIFICATE_VERIFY_FAILED" in (answer.error or "")
    assert receiver.requests == []


def test_redirects_are_not_followed(receiver: Receiver) -> None:
    with receiving() as other:
        receiver.answers = [{"status": 307, "headers": {"Location": other.url}}]
        answer = Webhook(receiver.url, allow_private=True).send(BODY, HEADERS)
    assert (answer.status_code, answer.error) == (307, "HTTP 307; redirects are not followed")
    assert len(receiver.requests) == 1 and other.requests == []


def test_proxies_of_the_environment_are_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert Webhook(receiver.url, allow_private=True).send(BODY, HEADERS).error is None
    assert len(receiver.requests) == 1


def test_an_answer_that_drips_is_cut_off(receiver: Receiver) -> None:
    """A limit on each read would not do: each byte that drips in would give it as long again."""
    receiver.answers = [{"drip": True, "status": 200}]
    answer = Webhook(receiver.url, allow_private=True, timeout_s=0.4).send(BODY, HEADERS)
    assert answer.error == "127.0.0.1 gave no answer within 0.4 s"


def test_a_receiver_that_is_not_there(receiver: Receiver) -> None:
    answer = Webhook(f"http://127.0.0.1:{free_port()}/token", allow_private=True).send(BODY, HEADERS)
    assert answer.error == "the connection with 127.0.0.1 failed (ConnectionRefusedError)"


def test_a_name_that_nobody_knows() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    answer = Webhook("https://hooks.example.test/token", resolve=unknown).send(BODY, HEADERS)
    assert answer.error == "hooks.example.test could not be looked up (gaierror)"


def test_the_url_is_shown_nowhere(receiver: Receiver) -> None:
    receiver.answers = [500]
    webhook = Webhook(receiver.url, allow_private=True)
    shown = repr(webhook) + str(webhook) + repr(webhook.send(BODY, HEADERS))
    assert "token-of-the-path" not in shown
    assert "HTTP 500" in shown


def test_how_long_a_receiver_wants_to_be_left_alone(receiver: Receiver) -> None:
    receiver.answers = [
        {"status": 429, "headers": {"Retry-After": "90"}},
        {"status": 503, "headers": {"Retry-After": "x"}},
    ]
    webhook = Webhook(receiver.url, allow_private=True)
    assert webhook.send(BODY, HEADERS).retry_after_s == 90
    assert webhook.send(BODY, HEADERS).retry_after_s is None


def test_the_environment_names_the_webhook(monkeypatch: pytest.MonkeyPatch) -> None:
    assert webhook_from_environment(False) is None
    monkeypatch.setenv("LLMA_ALERT_WEBHOOK_URL", "  ")
    assert webhook_from_environment(False) is None
    monkeypatch.setenv("LLMA_ALERT_WEBHOOK_URL", " https://hooks.example.com/x ")
    found = webhook_from_environment(False)
    assert found is not None and found.url == "https://hooks.example.com/x"
