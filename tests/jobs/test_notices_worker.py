"""From a training in a real worker to the address that hears of its end: its restart loses and doubles nothing."""

from __future__ import annotations

import json
import signal

import pytest

from jobs import webhooks
from jobs.models import Job, State
from jobs.outbox import Delivery, Sending, Subscription
from tests.jobs import test_worker
from tests.jobs.conftest import wait_for
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)
environment, train = test_worker.environment, test_worker.train  # fixtures
worker = test_worker.worker


@pytest.fixture
def receiver(environment, settings):
    found = Receiver()
    quick = {"NETWORKS": "127.0.0.0/8", "TIMEOUT": "2", "BACKOFF": "0.2"}
    environment |= {f"TRAINPORTAL_NOTIFY_{name}": value for name, value in quick.items()}
    environment |= {"TRAINPORTAL_SECRET_KEY": settings.SECRET_KEY, "TRAINPORTAL_JOB_LEASE": "60"}
    yield found
    found.close()


def test_a_failed_training_is_told_once_and_in_words(worker, train, receiver, alice):
    worker()
    one = Subscription.objects.create(project=alice.memberships.get().project, user=alice, channel="webhook",
                                      url=receiver.url)  # fmt: skip
    model = train(behaviour="traceback")
    wait_for(lambda: Delivery.objects.filter(state=Sending.DELIVERED).exists(), 90)
    (post,) = receiver.posts
    said = json.loads(post.body)
    assert (said["event"], said["job"]["number"]) == ("job.failed", model.job_id)
    assert said["job"]["reason"] == "It failed, and this is what it said:"
    assert said["job"]["quote"] == "ValueError: the learning rate fell into a well"
    timestamp = post.headers["X-Trainportal-Timestamp"]
    assert post.headers["X-Trainportal-Signature"] == webhooks.sign(webhooks.secret_of(one), timestamp, post.body)


def test_an_address_that_is_away_holds_up_no_job_and_is_told_after_a_restart(worker, train, receiver, alice):
    """The address hangs while the training ends, the worker is killed, the next one sends what was written down."""
    receiver.pause = 30
    Subscription.objects.create(
        project=alice.memberships.get().project, user=alice, channel="webhook", url=receiver.url
    )
    first = worker()
    model = train(behaviour="good")
    wait_for(lambda: Job.objects.get(pk=model.job_id).state == State.SUCCEEDED, 90)
    wait_for(lambda: receiver.posts, 60)
    assert Delivery.objects.get().state == Sending.WAITING
    first.send_signal(signal.SIGTERM)
    first.wait(10)
    receiver.pause = 0
    worker()
    wait_for(lambda: Delivery.objects.get().state == Sending.DELIVERED, 60)
    assert len({post.headers["X-Trainportal-Delivery"] for post in receiver.posts}) == 1
    assert json.loads(receiver.posts[-1].body)["event"] == "job.succeeded"
