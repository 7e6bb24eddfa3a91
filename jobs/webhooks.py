"""Posting to an address that a user gave: signed, and never into the portal's own network.

The name is resolved once, every address behind it is looked at, and the connection goes to the one that was looked at:
a name that changes its mind in between leads nowhere else. Redirects are not followed.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.utils.translation import gettext_noop as _

from jobs.outbox import Subscription
from jobs.said import Said

READ = 1024  # bytes of the answer that are read: only its status counts
DEFAULT_PORTS = {"http": 80, "https": 443}
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(Exception):
    """It may not be sent there, and never will be; the first argument is a Said."""


class Failed(Exception):
    """It did not work this time; the first argument is a Said, `answer` the status of the answer if there was one."""

    def __init__(self, why: Said, answer: int | None = None) -> None:
        super().__init__(why)
        self.answer = answer


def secret_of(subscription: Subscription) -> str:
    """Follows from the portal's own key, so that the database holds none. Another nonce is another secret."""
    name = f"webhook {subscription.pk} {subscription.nonce}".encode()
    return "whsec_" + base64.urlsafe_b64encode(hmac.digest(settings.SECRET_KEY.encode(), name, "sha256")).decode()


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 over the timestamp, a dot and the body: neither can be changed, and an old one can be told."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def headers(subscription: Subscription, delivery: str, event: str, body: bytes) -> dict[str, str]:
    timestamp = str(int(time.time()))
    return {
        "Content-Type": "application/json",
        "User-Agent": "Trainportal",
        "X-Trainportal-Event": event,
        "X-Trainportal-Delivery": delivery,
        "X-Trainportal-Timestamp": timestamp,
        "X-Trainportal-Signature": sign(secret_of(subscription), timestamp, body),
    }


def check(url: str) -> SplitResult:
    """The address in its parts. Raises Refused where it is none, or plainly leads where nothing may be sent."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Refused(Said(_("This is no web address."))) from error
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or port == 0:
        raise Refused(Said(_("Give an address that begins with https:// or http://.")))
    if parts.username is not None or parts.password is not None:
        raise Refused(Said(_("Leave user and password out of the address: the signature proves who sends.")))
    try:
        literal = ipaddress.ip_address(parts.hostname)
    except ValueError:
        return parts
    _require_public(literal, parts.hostname)
    return parts


def post(url: str, body: bytes, sent: Mapping[str, str]) -> int:
    """The status of the answer, which is a 2xx. Raises Refused, or Failed."""
    parts = check(url)
    host, port = parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]
    connection = _Connection(host, port, _resolve(host, port), secure=parts.scheme == "https")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    limit = threading.Timer(2 * settings.NOTIFY_TIMEOUT, connection.cut)  # for who answers a byte a second
    limit.start()
    try:
        connection.request("POST", target, body=body, headers=dict(sent))
        answer = connection.getresponse()
        answer.read(READ)
        status = answer.status
    except TimeoutError as error:
        raise Failed(Said(_("The address did not answer in time."))) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Failed(Said(_("The address could not be reached: %(why)s"), why=_plain(error))) from error
    finally:
        limit.cancel()
        connection.close()
    if connection.was_cut:
        raise Failed(Said(_("The address did not answer in time.")))
    if 300 <= status < 400:
        raise Failed(Said(_("The address leads on to another one (%(code)d); give that one."), code=status), status)
    if not 200 <= status < 300:
        raise Failed(Said(_("The address answered with the error %(code)d."), code=status), status)
    return status


class _Connection(http.client.HTTPConnection):
    """To one address that was looked at, whatever the name says by now."""

    def __init__(self, host: str, port: int, address: Address, *, secure: bool) -> None:
        super().__init__(host, port, timeout=settings.NOTIFY_TIMEOUT)
        self.address, self.secure = address, secure
        self.default_port = DEFAULT_PORTS["https" if secure else "http"]
        self.was_cut = False

    def connect(self) -> None:
        self.sock = socket.create_connection((str(self.address), self.port), self.timeout)
        if self.secure:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)

    def cut(self) -> None:
        """From another thread: whatever is waited for ends now."""
        self.was_cut = True
        with contextlib.suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)


def _resolve(host: str, port: int) -> Address:
    """One address of the name; all of them must be fit, so that nobody can slip one in."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Failed(Said(_("The name “%(host)s” is not known."), host=host)) from error
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        _require_public(address, host)
    return addresses[0]


def _require_public(address: Address, host: str) -> None:
    inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None) or address
    if any(inner in network for network in settings.NOTIFY_NETWORKS if network.version == inner.version):
        return
    if not inner.is_global or inner.is_multicast or inner in _TRANSLATED:
        text = _("“%(host)s” is in a private network. An administrator can allow it: TRAINPORTAL_NOTIFY_NETWORKS.")
        raise Refused(Said(text, host=host))


_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # leads to any IPv4 address


def _plain(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200]
