"""A connection to the broker that never hangs for long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pika
from django.conf import settings
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ChannelClosedByBroker

CONNECT = 5.0  # seconds until a connection is there
HEARTBEAT = 20  # seconds: a broker that says nothing for twice as long is away
DIFFERENT = 406  # AMQP's word for a queue of that name with other properties

FAULTS = (AMQPError, OSError, ValueError)  # what a broker that is away, or an address that is none, raises


@contextmanager
def connected() -> Iterator[pika.BlockingConnection]:
    """Raises one of FAULTS."""
    connection = pika.BlockingConnection(_parameters())
    try:
        yield connection
    finally:
        with suppress(*FAULTS):
            connection.close()


def declare(connection: pika.BlockingConnection, queue: str, *, durable: bool) -> BlockingChannel:
    """A channel, and the queue is there. One that its kernel has made anew, in another way, is taken as it is."""
    channel = connection.channel()
    try:
        channel.queue_declare(queue, durable=durable)
    except ChannelClosedByBroker as error:
        if error.reply_code != DIFFERENT:
            raise
        channel = connection.channel()
        channel.queue_declare(queue, passive=True)
    return channel


def why(error: BaseException) -> str:
    """What went wrong, in the words that there are."""
    inner: Any = error
    while (args := getattr(inner, "args", ())) and isinstance(args[0], BaseException):
        inner = args[0]
    inner = getattr(inner, "exception", inner)
    return (str(inner) or type(inner).__name__)[:300]


def _parameters() -> pika.URLParameters:
    found = pika.URLParameters(settings.BROKER_URL)
    found.heartbeat = HEARTBEAT
    found.socket_timeout = found.stack_timeout = found.blocked_connection_timeout = CONNECT
    found.connection_attempts = 1
    return found
