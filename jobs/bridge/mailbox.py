"""The queue and the user of one run: lent at its start, taken back at its end."""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.conf import settings

from jobs.bridge import accounts, amqp, record
from jobs.bridge.record import Away, Mailbox
from kernels_app.contract.config import TrainingConfig

log = logging.getLogger(__name__)
PORT = 5672
TRIAL = "trial"  # what runs of the doctor are called
TRIAL_AGE = 24 * 3600.0  # seconds: no trial takes so long


def lend(folder: Path, called: str, *, durable: bool = True, may_declare: bool = False) -> None:
    """Make a queue for the run in `folder` and write into its `training.json` how to reach it. Raises Away.

    What an earlier start of the run had is taken back: what still comes there is of a kernel that does not count.
    """
    if not close(folder):
        raise Away("what an earlier start had cannot be taken back")
    name = f"{prefix()}{called}.{secrets.token_hex(12)}"
    if accounts.is_on():
        mailbox = Mailbox(name, name, secrets.token_urlsafe(24), True, durable)
    else:
        user, _, password = settings.BROKER_KERNELS.partition(":")
        mailbox = Mailbox(name, user, password, False, durable)
    record.keep(folder, mailbox)
    try:
        if mailbox.is_own:
            accounts.limit(prefix())
        with amqp.connected() as connection:
            amqp.declare(connection, name, durable=durable)
        if mailbox.is_own:
            accounts.make(mailbox.user, mailbox.password, may_declare=may_declare)
    except amqp.FAULTS as error:
        raise Away(amqp.why(error)) from error
    _tell(folder / "training.json", mailbox)


def close(folder: Path) -> bool:
    """Take back what the run was lent; False where the broker does not answer, so that it has to be done later."""
    return _close(folder, record.of(folder))


def _close(folder: Path, mailbox: Mailbox | None) -> bool:
    """The same of what was lent when somebody looked: what was lent anew since stays."""
    if mailbox is not None and settings.BROKER_URL:
        try:
            _drop(mailbox.queue, mailbox.user if mailbox.is_own else "")
        except amqp.FAULTS as error:
            log.warning("the queue of %s is left behind: %s", folder.name, amqp.why(error))
            return False
    if record.of(folder) == mailbox:
        record.forget(folder)
    return True


def sweep(held: Callable[[], set[int]]) -> None:
    """Take back what lost runs had. `held`: the jobs that some runner has, asked after looking what there is."""
    runs = settings.TRAINPORTAL_HOME / "runs"
    places = [*runs.glob(f"*/{record.NAME}"), *runs.glob(f"*/trials/**/{record.NAME}")]
    records = [(place, record.of(place.parent)) for place in places]
    names = accounts.known(prefix()) if accounts.is_on() else set[str]()
    jobs = held()
    for place, mailbox in records:
        if not _is_held(place.relative_to(runs).parts[0], jobs):
            _close(place.parent, mailbox)
    for name in names:
        if not _is_held(name.removeprefix(prefix()), jobs):
            _drop(name, name)


def trial() -> str:
    """What a run of the doctor is called, which no job knows of."""
    return f"{TRIAL}-{int(time.time())}"


def prefix() -> str:
    """Of all that this installation makes: another one may use the same broker."""
    return f"trainportal.{hashlib.sha256(f'broker {settings.SECRET_KEY}'.encode()).hexdigest()[:8]}."


def _is_held(name: str, held: set[int]) -> bool:
    """Whether somebody may still need what is called so: by the job's number, or a trial's time."""
    called = name.partition(".")[0]
    kind, _, since = called.partition("-")
    if kind == TRIAL:
        return since.isdigit() and time.time() - int(since) < TRIAL_AGE
    return called.isdigit() and int(called) in held


def _drop(queue: str, user: str) -> None:
    with amqp.connected() as connection:
        connection.channel().queue_delete(queue)
    if user and accounts.is_on():
        accounts.drop(user)


def _tell(config: Path, mailbox: Mailbox) -> None:
    """Where the broker is, as kernels reach it: they may be in another network than the portal."""
    known = urlsplit(settings.BROKER_URL)
    host, _, port = settings.BROKER_ADDRESS.rpartition(":") if settings.BROKER_ADDRESS else ("", "", "")
    replace(
        TrainingConfig.read(config),
        message_host=host or unquote(known.hostname or ""),
        message_port=int(port or known.port or PORT),
        message_id=mailbox.user,
        message_pw=mailbox.password,
        queue_name=mailbox.queue,
    ).write(config)
