"""A kernel that reports over RabbitMQ: runners die, the broker goes away, and every message arrives once."""

from __future__ import annotations

import json
import os
import signal
from urllib.parse import urlsplit

import pika
import pytest

from jobs import runfolder
from jobs.bridge import mailbox
from jobs.models import State
from kernels_app import registry
from tests import needs
from tests.faults.conftest import SCHEMA
from tests.faults.proxy import Proxy
from tests.needs import REPOSITORY

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]
AWAY = "The broker does not answer"


@pytest.fixture
def door():
    """What stands between the portal and its broker; kernels go past it."""
    known = urlsplit(needs.broker())
    made = Proxy(known.hostname or "", known.port or 5672)
    yield made
    made.close()


@pytest.fixture
def broker(portal, door, settings):
    """The portal with a broker, and the original's kernel instead of the usual one."""
    known = urlsplit(needs.broker())
    account = f"{known.username}:{known.password}"
    portal.more |= {
        "TRAINPORTAL_BROKER_URL": f"amqp://{account}@127.0.0.1:{door.port}/%2F",
        "TRAINPORTAL_BROKER_ADDRESS": f"{known.hostname}:{known.port or 5672}",
        "TRAINPORTAL_BROKER_KERNELS": account, "TRAINPORTAL_SANDBOX": "off",
    }  # fmt: skip
    settings.BROKER_URL = needs.broker()
    portal.shop.kernel = original()
    return portal


def original(broker: str = "[broker]\n"):
    """Registered as any kernel is."""
    about = f'name = "original"\nversion = "1"\n{broker}'
    program = (REPOSITORY / "tests" / "kernel_original.py").read_bytes()
    package = {"kernel.toml": about.encode(), "model_schema.json": json.dumps(SCHEMA).encode(), "train.py": program}
    return registry.register(package, is_bundled=True)


def queues_of(portal) -> list[str]:
    """The queues that this installation has at the broker, of those that its run folders name."""
    found = []
    for line in sorted(portal.home.glob("runs/*/training.json")):
        name = json.loads(line.read_text())["queue_name"]
        try:
            with pika.BlockingConnection(pika.URLParameters(needs.broker())) as connection:
                connection.channel().queue_declare(name, passive=True)
            found.append(name)
        except pika.exceptions.ChannelClosedByBroker:
            continue
    return found


def kept(job) -> list[dict]:
    lines = (runfolder.of(job) / runfolder.STATUS).read_text().splitlines()
    return [json.loads(line) for line in lines]


def sent(job) -> list[int]:
    """The steps that the kernel says it has sent."""
    lines = runfolder.log(job).read_text().splitlines()
    return [int(line.split()[1]) for line in lines if line.startswith("sent ")]


def test_runners_die_and_the_broker_goes_away_and_every_message_arrives_once(broker, door, dice):
    broker.worker()
    job = broker.train(pause=0.01)
    for step in (5, 60):
        broker.at_step(job, step + dice.randrange(20))
        os.kill(broker.runner_of(job), signal.SIGKILL)
    broker.at_step(job, 120)
    door.cut()
    broker.wait("a word about it", lambda: job.events.filter(why__startswith=AWAY).exists())
    before = len(sent(job))
    broker.wait("the kernel to go on", lambda: len(sent(job)) > before + 20)
    os.kill(broker.runner_of(job), signal.SIGKILL)  # the next one begins without a broker
    broker.wait("the next runner", lambda: broker.runner_of(job))
    door.mend()
    broker.at_step(job, len(sent(job)))
    broker.finish(job)
    messages = kept(job)
    steps = [message["step"] for message in messages if message["status"] == "training_ing"]
    assert steps == sent(job) == list(range(1, len(steps) + 1))
    assert [message["status"] for message in messages[len(steps) :]] == ["training_done"]
    assert (job.bad_lines, job.kernel_done, job.remark) == (0, True, "")
    assert job.events.filter(why__startswith=AWAY).count() == 1
    broker.wait("its queue to be gone", lambda: not queues_of(broker))
    assert job.points.filter(series="train_loss").count() == len(steps)


def test_hostile_messages_are_counted_a_deleted_queue_is_made_anew_and_the_last_word_is_heard(broker):
    broker.worker()
    hostile, deletes = broker.train(behaviour="hostile", steps=3), broker.train(behaviour="deletes", steps=40)
    failing = broker.train(behaviour="error", steps=3)
    broker.until(hostile, State.SUCCEEDED)
    assert (hostile.bad_lines, hostile.kernel_error) == (9, "")
    assert (runfolder.of(hostile) / runfolder.STATUS).stat().st_size < 2**20
    assert [message["step"] for message in kept(hostile) if "step" in message] == [*range(1000), 1, 2, 3]
    broker.until(deletes, State.SUCCEEDED)
    assert deletes.kernel_done
    broker.until(failing, State.FAILED)
    assert failing.message == "The pictures are too dark."
    broker.wait("their queues to be gone", lambda: not queues_of(broker))


def test_a_broker_that_stays_away_keeps_no_training_from_its_end(broker, door):
    broker.more["TRAINPORTAL_BROKER_PATIENCE"] = "1"
    broker.worker()
    job = broker.train()
    broker.at_step(job, 3)
    door.cut()
    broker.finish(job)
    assert "without saying" in job.remark
    assert job.events.filter(why__startswith="After the kernel's end the broker").count() == 1
    refused = broker.train()
    broker.until(refused, State.FAILED)
    assert "does not answer" in refused.message
    assert len(queues_of(broker)) == 1  # left behind
    mailbox.sweep(lambda: set())
    assert queues_of(broker) == []
