"""Listens to a run's queue in a thread beside the runner's watch, so that a broker that hangs holds nothing up."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import pika
from django.conf import settings
from django.utils.translation import gettext_noop as _
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker

from jobs.bridge import amqp
from jobs.bridge.inbox import Inbox, Message
from jobs.bridge.record import JOURNAL, Mailbox
from jobs.said import Said

log = logging.getLogger(__name__)
STATUS = "status.jsonl"
AT_ONCE, BYTES_AT_ONCE = 200, 2 * 2**20  # messages, and bytes, taken before they are written and acknowledged
SETTLE = 0.3  # seconds that a queue is empty after the kernel's end until nothing more is on its way
PAUSE = (0.2, 15.0)  # seconds from one try to connect to the next: ever longer
HURRY = 5.0  # seconds that a broker has where somebody waits for the end
REMARKS = {
    "away": _("The broker does not answer: what the kernel reports waits there until it can be read."),
    "back": _("The broker answers again."),
    "unkept": _("What the kernel reports cannot be written into its run folder; it waits at the broker."),
    "given up": _("After the kernel's end the broker did not give out its last reports: they are not known."),
}


class Unkept(Exception):
    """Messages could not be written into the run folder, so that the broker keeps them."""


class Post(threading.Thread):
    """Takes messages until it is told that the kernel is gone and none is left."""

    def __init__(self, folder: Path, found: Mailbox) -> None:
        super().__init__(name=f"post of {folder.name}", daemon=True)
        self._mailbox = found
        self._inbox = Inbox(folder / STATUS, folder / JOURNAL)
        self._last, self._over, self._drained = threading.Event(), threading.Event(), threading.Event()
        self._heard = time.monotonic()
        self._found: dict[str, bool] = dict.fromkeys(("away", "back", "unkept", "given up"), False)
        self._told: set[str] = set()

    # --- for whoever watches ---

    def is_read(self, *, hurry: bool = False) -> bool:
        if not self._last.is_set():
            self._heard = time.monotonic()
            self._last.set()
        patience = min(HURRY, settings.BROKER_PATIENCE) if hurry else settings.BROKER_PATIENCE
        if not self._drained.is_set() and time.monotonic() - self._heard > patience:
            self._found["given up"] = True
        return self._drained.is_set() or self._found["given up"]

    def remarks(self) -> list[Said]:
        new = [name for name, is_so in self._found.items() if is_so and name not in self._told]
        self._told.update(new)
        return [Said(REMARKS[name]) for name in new]

    def end(self) -> None:
        """Do not listen any longer; what is not acknowledged stays in the queue."""
        self._over.set()
        self.join(timeout=2 * amqp.CONNECT)

    # --- in the thread ---

    def run(self) -> None:
        pause = PAUSE[0]
        while not self._over.is_set():
            try:
                with amqp.connected() as connection:
                    channel = amqp.declare(connection, self._mailbox.queue, durable=self._mailbox.durable)
                    self._found["back"] |= self._found["away"]
                    pause = PAUSE[0]
                    self._inbox.load()
                    self._listen(connection, channel)
                    return
            except ChannelClosedByBroker as error:  # somebody deleted the queue: it is made anew
                log.warning("%s: %s", self.name, amqp.why(error))
            except amqp.FAULTS as error:
                log.warning("%s: the broker does not answer: %s", self.name, amqp.why(error))
                self._found["away"] = True
            except Unkept as error:
                log.warning("%s: not written: %s", self.name, error)
                self._found["unkept"] = True
            self._over.wait(min(pause, 1.0) if self._last.is_set() else pause)
            pause = min(pause * 2, PAUSE[1])

    def _listen(self, connection: pika.BlockingConnection, channel: BlockingChannel) -> None:
        """Until it is over, or all was read after the kernel's end."""
        empty_since: float | None = None
        while not self._over.is_set():
            ends = self._last.is_set()  # asked before looking: what was sent before the end is found
            messages, tag = _fetch(channel, self._mailbox.queue)
            if messages:
                self._keep(messages)
                channel.basic_ack(tag, multiple=True)
                channel.queue_declare(self._mailbox.queue, passive=True)  # answered after the acknowledgement
                self._inbox.confirmed()
            self._heard = now = time.monotonic()
            if messages or not ends:
                empty_since = None
            elif empty_since is None:
                empty_since = now
            elif now - empty_since > SETTLE:
                self._drained.set()
                return
            if not messages:
                connection.sleep(min(settings.JOB_POLL, SETTLE / 3) if ends else settings.JOB_POLL)

    def _keep(self, messages: list[Message]) -> None:
        try:
            self._inbox.take(messages)
        except OSError as error:
            raise Unkept(error.strerror or str(error)) from error


def _fetch(channel: BlockingChannel, queue: str) -> tuple[list[Message], int]:
    """What waits, one by one, since a message may have 100 MB; and the tag of the last."""
    found: list[Message] = []
    size = tag = 0
    while len(found) < AT_ONCE and size < BYTES_AT_ONCE:
        method, _properties, body = channel.basic_get(queue)
        if method is None:
            break
        tag, size = method.delivery_tag, size + len(body)
        found.append((body, bool(method.redelivered)))
    return found, tag
