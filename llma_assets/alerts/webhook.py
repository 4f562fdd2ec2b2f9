"""Sends one message to one address, and to no other: no redirects, no proxies, no second look at the name.

The host's name is resolved once, every address that it has is checked, and the connection is made to one of these
addresses, while certificate and `Host` are those of the name. So a name that changes its address between check and
connection (DNS rebinding) reaches nothing.
"""

import contextlib
import http.client
import os
import re
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from llma_assets.alerts.address import why_refused
from llma_assets.errors import InputRejected

URL_VARIABLE = "LLMA_ALERT_WEBHOOK_URL"
# Seconds for connecting, sending and the answer together; name servers have limits of their own.
TIMEOUT_S = 10.0
_MAX_URL_CHARS = 2_000
_URL = re.compile(r"[!-~]+")

Resolve = Callable[[str, int], Sequence[str]]
Connect = Callable[[str, int, float], socket.socket]


def resolve(host: str, port: int) -> list[str]:
    """Every address of `host`."""
    return sorted({str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})


def connect(address: str, port: int, timeout_s: float) -> socket.socket:
    """A connection to an address, which is not looked up again."""
    return socket.create_connection((address, port), timeout_s)


@dataclass(frozen=True, slots=True)
class WebhookAnswer:
    """What became of one attempt.

    Attributes:
        status_code: of the answer; None where there was none.
        error: None if the receiver took the message; never holds the URL, which is a secret.
        retry_after_s: seconds that the receiver asks to be left alone.
    """

    status_code: int | None
    error: str | None
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where messages go. The URL is a secret: its path holds the token.

    Attributes:
        allow_private: whether http, any port and addresses of one's own network may be used.
        tls: whose certificates are believed; None: those that this machine believes.

    Raises:
        InputRejected: the URL may not be used; the message does not show it.
    """

    url: str = field(repr=False)
    allow_private: bool = False
    timeout_s: float = TIMEOUT_S
    resolve: Resolve = field(default=resolve, repr=False)
    connect: Connect = field(default=connect, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not _URL.fullmatch(self.url) or len(self.url) > _MAX_URL_CHARS:
            raise InputRejected(f"{URL_VARIABLE} is not 1 to {_MAX_URL_CHARS} printable ASCII characters")
        try:
            parts = urlsplit(self.url)
            port = parts.port
        except ValueError:
            raise InputRejected(f"{URL_VARIABLE} is not a URL") from None
        schemes = ("https", "http") if self.allow_private else ("https",)
        if parts.scheme not in schemes or not parts.hostname:
            hint = "" if self.allow_private else "; LLMA_ALERT_ALLOW_PRIVATE=1 allows http in one's own network"
            raise InputRejected(f"{URL_VARIABLE} does not begin with {' or '.join(f'{s}://' for s in schemes)}{hint}")
        if "@" in parts.netloc:
            raise InputRejected(f"{URL_VARIABLE} holds a user name or password, which is never sent")
        if "%" in parts.netloc:
            raise InputRejected(f"{URL_VARIABLE} has % in its host; only names and plain addresses are taken")
        if port not in (None, 443) and not self.allow_private:
            raise InputRejected(f"{URL_VARIABLE} names port {port}; only 443 is allowed, or LLMA_ALERT_ALLOW_PRIVATE=1")

    @property
    def host(self) -> str:
        """The host, which may be shown."""
        return urlsplit(self.url).hostname or ""

    @property
    def is_tls(self) -> bool:
        """Whether the connection is https."""
        return urlsplit(self.url).scheme == "https"

    @property
    def port(self) -> int:
        """The port that is connected to."""
        return urlsplit(self.url).port or (443 if self.is_tls else 80)

    def addresses(self) -> list[str]:
        """The host's addresses, all of which may be used.

        Raises:
            InputRejected: one of them may not: a name that points there as well is not to be trusted at all.
            OSError: the name is not known.
        """
        found = list(self.resolve(self.host, self.port))
        for address in found:
            if why := why_refused(address, self.allow_private):
                raise InputRejected(f"{self.host}: {why}")
        if not found:
            raise OSError(f"{self.host} has no address")
        return found

    def send(self, body: bytes, headers: dict[str, str]) -> WebhookAnswer:
        """One attempt. It never raises for what the network or the receiver does."""
        try:
            addresses = self.addresses()
        except InputRejected as error:
            return WebhookAnswer(None, f"refused: {error}")
        except (OSError, UnicodeError) as error:
            return WebhookAnswer(None, f"{self.host} could not be looked up ({type(error).__name__})")
        connection = _Pinned(self, addresses)
        try:
            return connection.post(body, headers)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if connection.is_late or isinstance(error, TimeoutError):
                return WebhookAnswer(None, f"{self.host} gave no answer within {self.timeout_s:g} s")
            what = "TLS" if isinstance(error, ssl.SSLError) else "the connection"
            return WebhookAnswer(
                None, f"{what} with {self.host} failed ({getattr(error, 'reason', None) or type(error).__name__})"
            )
        finally:
            connection.close()


class _Pinned(http.client.HTTPConnection):
    """A connection to checked addresses that is ended when its time is over, however slowly bytes drip in."""

    def __init__(self, webhook: Webhook, addresses: Sequence[str]):
        super().__init__(webhook.host, webhook.port, timeout=webhook.timeout_s)
        # So that the header `Host` names no port where the URL names none.
        self.default_port = 443 if webhook.is_tls else 80
        self._webhook, self._addresses = webhook, addresses
        self._raw: socket.socket | None = None
        self.is_late = False

    def connect(self) -> None:
        """Connect to the first address that answers; TLS as the scheme says, for the name."""
        raw = self._first()
        # A second handle: TLS takes the first one over.
        self._raw = raw.dup()
        raw.settimeout(self._webhook.timeout_s)
        if self.is_late:
            raise TimeoutError
        if self._webhook.is_tls:
            tls = self._webhook.tls or ssl.create_default_context()
            self.sock = tls.wrap_socket(raw, server_hostname=self._webhook.host)
        else:
            self.sock = raw

    def post(self, body: bytes, headers: dict[str, str]) -> WebhookAnswer:
        """Send, and read the status and headers; what else the answer says is not read."""
        timer = threading.Timer(self._webhook.timeout_s, self._end)
        timer.daemon = True
        timer.start()
        try:
            parts = urlsplit(self._webhook.url)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            self.request("POST", target, body, {"User-Agent": "llma-assets", **headers})
            answer = self.getresponse()
            if self.is_late:
                raise TimeoutError  # An answer that was cut off looks like one that has ended.
        finally:
            timer.cancel()
        if 200 <= answer.status < 300:
            return WebhookAnswer(answer.status, None)
        moved = "; redirects are not followed" if 300 <= answer.status < 400 else ""
        return WebhookAnswer(answer.status, f"HTTP {answer.status}{moved}", _seconds(answer.headers.get("Retry-After")))

    def close(self) -> None:
        """Close both handles."""
        super().close()
        if self._raw is not None:
            self._raw.close()

    def _first(self) -> socket.socket:
        problem: OSError | None = None
        for address in self._addresses:
            if self.is_late:
                break
            try:
                return self._webhook.connect(
                    address, self._webhook.port, self._webhook.timeout_s / len(self._addresses)
                )
            except OSError as error:
                problem = error
        raise problem or TimeoutError

    def _end(self) -> None:
        self.is_late = True
        if self._raw is not None:
            with contextlib.suppress(OSError):  # It may be over already.
                self._raw.shutdown(socket.SHUT_RDWR)


def _seconds(text: str | None) -> float | None:
    """`Retry-After` in seconds; a date is not read."""
    return float(text) if text and re.fullmatch(r"\d{1,6}", text.strip()) else None


def webhook_from_environment(allow_private: bool) -> Webhook | None:
    """The webhook that the environment names; None where it names none.

    Raises:
        InputRejected: its URL may not be used.
    """
    url = os.environ.get(URL_VARIABLE, "").strip()
    return Webhook(url, allow_private) if url else None
