"""A browser without a screen: cookies, forms as they stand on the page, and the polls of an open model page."""

from __future__ import annotations

import http.client
import re
import threading
import time
import urllib.parse
import uuid
from dataclasses import dataclass, field
from html.parser import HTMLParser

POLLS = {"metrics": 2.0, "status": 2.0, "log": 2.0, "running": 5.0, "scores": 10.0}  # seconds, as the page says


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    location: str


@dataclass
class Browser:
    """One user's session with the portal at 127.0.0.1:`port`. Not to be shared between threads."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    _connection: http.client.HTTPConnection | None = None

    def get(self, path: str, **headers: str) -> Answer:
        return self._send("GET", path, b"", headers)

    def post(self, path: str, fields: list[tuple[str, str]], *, htmx: bool = False) -> Answer:
        """As `multipart/form-data`, with the CSRF token among the fields where the form had one.

        `htmx`: as its scripts send it."""
        mark = uuid.uuid4().hex
        parts = [f'--{mark}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields]
        body = ("".join(parts) + f"--{mark}--\r\n").encode()
        origin = {"Content-Type": f"multipart/form-data; boundary={mark}", "Referer": self._url(path)}
        return self._send("POST", path, body, origin | ({"HX-Request": "true"} if htmx else {}))

    def twin(self) -> Browser:
        """The same session, for another thread."""
        return Browser(self.port, dict(self.cookies))

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def _send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """On a connection that is kept, as browsers do; anew where the server has closed it meanwhile."""
        headers = headers | {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        for last in (False, True):
            try:
                self._connection = self._connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
                self._connection.request(method, path, body or None, headers)
                return self._read(self._connection.getresponse())
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                self.close()
                if last:
                    raise
        raise AssertionError("unreachable")

    def _read(self, response: http.client.HTTPResponse) -> Answer:
        for header in response.headers.get_all("Set-Cookie") or []:
            name, _, value = header.partition(";")[0].partition("=")
            self.cookies[name] = value
        return Answer(response.status, response.read(), response.headers.get("Location", ""))

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


class FormFields(HTMLParser):
    """What a browser would send of the form that has the id given (the first of the page without one)."""

    def __init__(self, html: str, form_id: str = "") -> None:
        super().__init__()
        self.fields: list[tuple[str, str]] = []
        self._wanted, self._inside, self._select, self._text = form_id, False, "", ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form" and not self.fields and self._wanted in ("", found.get("id")):
            self._inside = True
        elif not self._inside:
            return
        elif tag == "input":
            self._input(found)
        elif tag == "select":
            self._select = found.get("name", "")
        elif tag == "option" and self._select:
            self._option(found)
        elif tag == "textarea":
            self._text = found.get("name", "")
            self.fields.append((self._text, ""))

    def _input(self, found: dict[str, str]) -> None:
        kind = found.get("type", "text")
        unticked = kind in ("checkbox", "radio") and "checked" not in found
        if found.get("name") and kind not in ("file", "submit") and not unticked:
            self.fields.append((found["name"], found.get("value", "on" if kind == "checkbox" else "")))

    def _option(self, found: dict[str, str]) -> None:
        """The selected option, else the first."""
        names = [name for name, _ in self.fields]
        if self._select not in names:
            self.fields.append((self._select, found.get("value", "")))
        elif "selected" in found:
            self.fields[names.index(self._select)] = (self._select, found.get("value", ""))

    def handle_data(self, data: str) -> None:
        if self._text:
            self.fields[-1] = (self._text, self.fields[-1][1] + data)

    def handle_endtag(self, tag: str) -> None:
        self._text = "" if tag == "textarea" else self._text
        self._inside = self._inside and tag != "form"
        self._select = "" if tag == "select" else self._select

    def changed(self, values: dict[str, str]) -> list[tuple[str, str]]:
        """The fields, with some of them typed anew."""
        return [(name, value) for name, value in self.fields if name not in values] + list(values.items())


class OpenPage(threading.Thread):
    """The polls of an open model page over HTTP, until `close`: what a browser asks while a training runs."""

    def __init__(self, browser: Browser, base: str, job: int) -> None:
        super().__init__(daemon=True)
        self.browser, self.base, self.job = browser, base, job
        self._cursor, self._log = 0, 0
        self._end = threading.Event()

    def run(self) -> None:
        due = dict.fromkeys(POLLS, 0.0)
        while not self._end.is_set():
            for name, pause in POLLS.items():
                if time.monotonic() >= due[name]:
                    self._poll(name)
                    due[name] = time.monotonic() + pause
            self._end.wait(max(0.0, min(due.values()) - time.monotonic()))

    def ask_all(self) -> None:
        """Each of its questions once: a web that has just started compiles its templates then."""
        for name in POLLS:
            self._poll(name)

    def _poll(self, name: str) -> None:
        query = {"metrics": f"?after={self._cursor}", "log": f"?from={self._log}", "status": "?events=0"}.get(name, "")
        path = f"{self.base}/jobs/running/" if name == "running" else f"{self.base}/jobs/{self.job}/{name}/{query}"
        answer = self.browser.get(path, **{"HX-Request": "true"} if name != "metrics" else {})
        if answer.status == 200 and name == "metrics":
            self._cursor = _number(rb'"cursor": ?(\d+)', answer.body, self._cursor)
        elif answer.status == 200 and name == "log":
            self._log = _number(rb"\?from=(\d+)", answer.body, self._log)

    def close(self) -> None:
        self._end.set()
        self.join(timeout=70)
        self.browser.close()


def _number(pattern: bytes, body: bytes, usual: int) -> int:
    found = re.search(pattern, body)
    return int(found.group(1)) if found else usual


def query(**values: object) -> str:
    return urllib.parse.urlencode(values, doseq=True)
