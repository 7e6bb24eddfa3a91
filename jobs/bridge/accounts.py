"""Users of single runs, through the HTTP API of RabbitMQ's management plugin."""

from __future__ import annotations

import base64
import json
import re
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from django.conf import settings

TIMEOUT = 10.0  # seconds
MESSAGES, BYTES = 100_000, 64 * 2**20  # that wait in a queue at most; the oldest are dropped for the newest
IDLE_DAYS = 7  # after which a queue that nobody uses is dropped by the broker itself
MISSING = 404
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # of the house, whatever the environment says


def is_on() -> bool:
    return bool(settings.BROKER_API)


def make(user: str, password: str, *, may_declare: bool) -> None:
    """A user that may write into the queue of its own name and do nothing else. Raises OSError.

    `may_declare`: it may declare this queue as well. The default exchange is the way into a queue; other queues have
    names that nobody guesses.
    """
    own = re.escape(user)
    _call("PUT", f"users/{quote(user, safe='')}", {"password": password, "tags": ""})
    rights = {"configure": f"^{own}$" if may_declare else "^$", "write": rf"^(amq\.default|{own})$", "read": "^$"}
    _call("PUT", f"permissions/{_vhost()}/{quote(user, safe='')}", rights)


def limit(prefix: str) -> None:
    """How much may wait in the queues whose names begin so. A policy, since what a queue was declared with would be in
    the way of a kernel that declares it too."""
    definition = {
        "max-length": MESSAGES, "max-length-bytes": BYTES, "overflow": "drop-head", "expires": IDLE_DAYS * 86_400_000,
    }  # fmt: skip
    policy = {"pattern": f"^{re.escape(prefix)}", "definition": definition, "apply-to": "queues", "priority": 0}
    _call("PUT", f"policies/{_vhost()}/{quote(prefix.rstrip('.'), safe='')}", policy)


def drop(user: str) -> None:
    """Raises OSError. One that is not there is no fault."""
    try:
        _call("DELETE", f"users/{quote(user, safe='')}")
    except urllib.error.HTTPError as error:
        if error.code != MISSING:
            raise


def known(prefix: str) -> set[str]:
    """Names of queues and of users that begin so. Raises OSError."""
    rows = [*_call("GET", f"queues/{_vhost()}?columns=name"), *_call("GET", "users?columns=name")]
    names = {row.get("name") for row in rows if isinstance(row, dict)}
    return {name for name in names if isinstance(name, str) and name.startswith(prefix)}


def _vhost() -> str:
    """Of the broker's address, as a part of an URL."""
    return quote(unquote(urlsplit(settings.BROKER_URL).path[1:]) or "/", safe="")


def _call(method: str, path: str, body: dict[str, Any] | None = None) -> list[Any]:
    """The list that is answered, if any."""
    parts = urlsplit(settings.BROKER_API)
    place = f"{parts.hostname}:{parts.port}" if parts.port else f"{parts.hostname}"
    url = urlunsplit((parts.scheme, place, f"{parts.path.rstrip('/')}/api/{path.partition('?')[0]}", "", ""))
    url += f"?{path.partition('?')[2]}" if "?" in path else ""
    login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    headers = {
        "Authorization": f"Basic {base64.b64encode(login.encode()).decode()}", "Content-Type": "application/json",
    }  # fmt: skip
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310 (of the settings)
    with _opener.open(request, timeout=TIMEOUT) as answer:
        text = answer.read()
    found = json.loads(text) if text else []
    return found if isinstance(found, list) else []
