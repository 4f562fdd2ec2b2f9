"""Where the server is, and the key for it."""

import ipaddress
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from llma_assets.errors import FailFast, InputRejected

if TYPE_CHECKING:
    from openai import AsyncOpenAI

OPENAI_URL = "https://api.openai.com/v1"
KEY_VARIABLE = "OPENAI_API_KEY"
URL_SETTING = "LLMA_OPENAI_BASE_URL"
# Azure takes its keys in a header of its own, and knows models by the deployment in the path.
_AZURE_HOSTS = (".azure.com", ".azure.us", ".azure.cn")
# Servers on one's own machine ask for no key, but the SDK insists on one.
_NO_KEY = "not-needed"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An OpenAI-compatible server. Holds no secret: the key is read from the environment when it is opened.

    Attributes:
        base_url: including the version part, such as `http://localhost:8000/v1`, and a query if each call is to have
            it, such as `?api-version=2024-10-21`; None for OpenAI's own.
        timeout_s: seconds that one attempt may take from first byte sent to last byte received.
        organization: sent with each call where it is set.

    Raises:
        InputRejected: the URL is not one of http or https, or carries a user name or password.
    """

    base_url: str | None = None
    timeout_s: float = 60.0
    organization: str | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputRejected(f"{URL_SETTING} is not a URL that starts with http:// or https://")
        if parts.username is not None or parts.password is not None:
            raise InputRejected(f"{URL_SETTING} holds a user name or password; put the key into {KEY_VARIABLE}")

    @property
    def url(self) -> str:
        """The base URL in use. The SDK's own variable for it is not read: one setting, one place."""
        return self.base_url or OPENAI_URL

    @property
    def shown_url(self) -> str:
        """The base URL for messages: without its query, where some servers take a key."""
        return urlunsplit(urlsplit(self.url)._replace(query="", fragment=""))

    @property
    def is_openai(self) -> bool:
        """Whether this is OpenAI's own service, whose list prices are known."""
        return urlsplit(self.url).hostname == urlsplit(OPENAI_URL).hostname

    @property
    def provider(self) -> str:
        """Who serves, for records: `openai`, or the host."""
        return "openai" if self.is_openai else urlsplit(self.url).hostname or "unknown"

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine or in a private network."""
        host = urlsplit(self.url).hostname or ""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return "." not in host or host.endswith((".localhost", ".local", ".internal"))
        return address.is_loopback or address.is_private

    def open(self) -> "AsyncOpenAI":
        """A client of the SDK without retries (ours are the only ones) and without redirects.

        Raises:
            FailFast: there is no usable key.
        """
        import openai

        http = openai.DefaultAsyncHttpxClient(
            # A redirect would carry the text of a trace to a host that nobody configured.
            follow_redirects=False,
            # A proxy of the environment has no business between us and a server next door.
            trust_env=not self.is_local,
        )
        key, parts = self._key(), urlsplit(self.url)
        is_azure = (parts.hostname or "").endswith(_AZURE_HOSTS)
        sdk = openai.AsyncOpenAI(
            api_key=key,
            organization=self.organization,
            base_url=self.shown_url,
            default_query=dict(parse_qsl(parts.query)),
            default_headers={"api-key": key} if is_azure else None,
            timeout=self.timeout_s,
            max_retries=0,
            http_client=http,
        )
        if not self.is_openai:
            # The SDK has read variables that tell OpenAI whom to bill; they are nobody else's business.
            sdk.organization, sdk.project = self.organization, None
        return sdk

    def _key(self) -> str:
        key = os.environ.get(KEY_VARIABLE, "").strip()
        if not key and self.is_local:
            return _NO_KEY
        if not key:
            raise FailFast(f"{KEY_VARIABLE} is not set; {self.shown_url} cannot be asked without a key")
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise FailFast(f"{KEY_VARIABLE} holds characters that no key has (spaces, line breaks or non-ASCII)")
        return key
