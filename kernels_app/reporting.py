"""Kernels that report over a broker, as those of the original system do: `[broker]` in kernel.toml says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from jobs import bridge
from jobs.launchers import sandbox
from jobs.said import Said
from kernels_app import launching

KEYS = {"declares": False, "durable": True}  # of [broker], and what holds without them
PAUSE = 1.0  # seconds from one try to reach the broker to the next


class NoBroker(Exception):
    """Why a run cannot report; a Said."""


def faults(given: Any) -> list[str]:
    """What is wrong with [broker] as somebody wrote it, a sentence each."""
    if not isinstance(given, dict) or not all(isinstance(value, bool) for value in given.values()):
        return [_("[broker] must be a table of true and false")]
    text, known = _("[broker] %(key)s is not known; there is %(list)s"), ", ".join(KEYS)
    return [text % {"key": key, "list": known} for key in given if key not in KEYS]


def lend(kernel: Path, run: Path, *, called: str, tick: Callable[[], None], image: str = "") -> None:
    """Give a run whose `training.json` is written what it reports with; nothing where it needs nothing.

    `image`: of a container. Waits for a broker that is away; `tick` is called meanwhile, and what it raises ends it.
    Raises NoBroker.
    """
    if not launching.reports_over_broker(kernel):
        return
    _require(is_container=bool(image))
    about = launching.about(kernel)["broker"]
    found = KEYS | about if not faults(about) else KEYS
    until = time.monotonic() + settings.BROKER_PATIENCE
    while True:
        try:
            return bridge.lend(run, called, durable=found["durable"], may_declare=found["declares"])
        except bridge.Away as error:
            if time.monotonic() >= until:
                text = gettext_noop("The broker that this kernel reports over does not answer: %(why)s")
                raise NoBroker(Said(text, why=str(error))) from error
        tick()
        time.sleep(min(PAUSE, settings.BROKER_PATIENCE))


def _require(*, is_container: bool) -> None:
    """Raises NoBroker where this installation, or the sandbox, has no way to a broker."""
    if not bridge.is_on():
        text = gettext_noop("This kernel reports over a broker, and this installation names none: docs/broker.md.")
        raise NoBroker(Said(text))
    if not settings.BROKER_API and not settings.BROKER_KERNELS:
        text = gettext_noop("There is no account at the broker for kernels: docs/broker.md.")
        raise NoBroker(Said(text))
    if is_container and not settings.BROKER_NETWORK:
        text = gettext_noop(
            "This kernel reports over a broker, and TRAINPORTAL_BROKER_NETWORK does not say in which network "
            "containers reach it."
        )
        raise NoBroker(Said(text))
    if not is_container and sandbox.name():
        text = gettext_noop(
            "This kernel reports over a broker, and the sandbox of this host has no network: it needs a container, or "
            "a host without the sandbox."
        )
        raise NoBroker(Said(text))
