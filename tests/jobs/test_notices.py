"""The end of a job reaches who asked for it: once written down, tried until it arrives, and never in a job's way."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import threading
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone

from jobs import clock, notices, outbox, webhooks
from jobs.models import HELD, Job, State
from jobs.outbox import Delivery, Sending, Subscription
from projects_app.models import Membership, User
from tests.jobs import test_pages
from tests.receiver import Receiver

toy, make = test_pages.toy, test_pages.make  # fixtures


@pytest.fixture
def receiver(settings):
    settings.NOTIFY_NETWORKS, settings.NOTIFY_TIMEOUT = [ipaddress.ip_network("127.0.0.0/8")], 1.0
    found = Receiver()
    yield found
    found.close()


@pytest.fixture
def hook(project, bob, receiver):
    """Makes a webhook of bob's."""

    def one(**fields) -> Subscription:
        usual = {"project": project, "user": bob, "channel": "webhook", "url": receiver.url, "only_mine": False}
        return Subscription.objects.create(**(usual | fields))

    return one


@pytest.fixture
def end(make):
    """Ends a running job."""

    def job(state: str = State.FAILED, **fields) -> Job:
        found = make(State.RUNNING, started_at=timezone.now() - timedelta(minutes=5), **fields)
        facts = {"failure": "gpu_memory", "failure_facts": {"quote": "CUDA out of memory"}}
        assert found.move(HELD, State(state), who="runner", **(facts if state == State.FAILED else {}))
        return found

    return job


@pytest.fixture
def later(monkeypatch):
    """Lets time pass."""
    passed = timedelta()
    real = clock.now

    def wait(seconds: float) -> None:
        nonlocal passed
        passed += timedelta(seconds=seconds)

    monkeypatch.setattr(clock, "now", lambda: real() + passed)
    return wait


# --- who hears of what ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("events", "only_mine", "state", "by", "hears"),
    [
        ("ended", False, State.SUCCEEDED, "alice", True),
        ("ended", False, State.CANCELLED, "alice", True),
        ("failed", False, State.FAILED, "alice", True),
        ("failed", False, State.SUCCEEDED, "alice", False),
        ("failed", False, State.CANCELLED, "alice", False),
        ("ended", True, State.SUCCEEDED, "alice", False),
        ("ended", True, State.SUCCEEDED, "bob", True),
        ("failed", True, State.FAILED, "bob", True),
    ],
)
def test_who_asked_for_it_hears_of_it(hook, end, alice, bob, events, only_mine, state, by, hears):
    hook(events=events, only_mine=only_mine)
    end(state, created_by={"alice": alice, "bob": bob}[by])
    assert Delivery.objects.count() == int(hears)


def test_other_projects_and_what_is_switched_off_are_not_heard(hook, end, db):
    from projects_app.models import Project

    hook(is_on=False)
    hook(project=Project.objects.create(code="other", name="Other"))
    end()
    assert not Delivery.objects.exists()


def test_an_end_that_is_rolled_back_is_told_to_nobody_and_one_that_happened_twice_once(hook, make):
    hook()
    job = make()
    with transaction.atomic():
        assert job.move(HELD, State.FAILED, who="runner")
        assert Delivery.objects.count() == 1
        transaction.set_rollback(True)
    assert not Delivery.objects.exists()
    job.refresh_from_db()
    assert job.move(HELD, State.FAILED, who="runner")
    assert not job.move(HELD, State.FAILED, who="runner")
    outbox.enqueue(job, State.FAILED)
    assert Delivery.objects.count() == 1


def test_the_end_costs_the_job_no_more_than_two_statements_however_many_listen(
    hook, make, django_assert_max_num_queries
):
    for _ in range(30):
        hook()
    job = make()
    with django_assert_max_num_queries(14):
        assert job.move(HELD, State.FAILED, who="runner")
    assert Delivery.objects.count() == 30


# --- a webhook ------------------------------------------------------------------------------------------------------
def test_a_failure_arrives_signed_and_says_what_happened(hook, end, bob, receiver, settings):
    settings.TRAINPORTAL_URL = "https://train.example.com/"
    one, job = hook(), end(created_by=bob, title="밸브 학습")
    assert notices.deliver() == 1
    (post,) = receiver.posts
    said, sent = json.loads(post.body), post.headers
    signed = hmac.new(
        webhooks.secret_of(one).encode(), sent["X-Trainportal-Timestamp"].encode() + b"." + post.body, hashlib.sha256
    )
    assert sent["X-Trainportal-Signature"] == f"sha256={signed.hexdigest()}"
    assert (sent["X-Trainportal-Event"], said["event"]) == ("job.failed", "job.failed")
    assert said["id"] == sent["X-Trainportal-Delivery"] == str(Delivery.objects.get().pk)
    assert said["text"] == "“밸브 학습” failed"
    assert (said["job"]["number"], said["job"]["state"], said["job"]["started_by"]) == (job.pk, "FAILED", "bob")
    assert (said["job"]["reason"], said["job"]["quote"]) == ("The GPU ran out of memory.", "CUDA out of memory")
    assert said["job"]["url"] == f"https://train.example.com{job.get_absolute_url()}"
    assert said["project"]["code"] == "valves"
    found = Delivery.objects.get()
    assert (found.state, found.answer, found.attempts) == (Sending.DELIVERED, 200, 1)


def test_it_speaks_the_language_of_who_hears_it(hook, end, bob, receiver):
    User.objects.filter(pk=bob.pk).update(language="ko")
    hook()
    end()
    notices.deliver()
    said = json.loads(receiver.posts[0].body)
    assert "실패" in said["text"]
    assert said["job"]["reason"] == "GPU 메모리가 부족합니다."


def test_it_is_tried_again_with_growing_pauses_always_the_same_until_it_arrives(hook, end, receiver, later, settings):
    settings.NOTIFY_BACKOFF = 30
    hook()
    end()
    receiver.answers = [500, 503]
    assert notices.deliver() == 1
    assert notices.deliver() == 0  # not yet
    later(31)
    assert notices.deliver() == 1
    later(31)
    assert notices.deliver() == 0  # now it waits four times as long
    later(90)
    assert notices.deliver() == 1
    assert len(receiver.posts) == 3
    assert len({post.body for post in receiver.posts}) == 1
    assert len({post.headers["X-Trainportal-Delivery"] for post in receiver.posts}) == 1
    found = Delivery.objects.get()
    assert (found.state, found.attempts, found.error) == (Sending.DELIVERED, 3, "")


def test_after_so_many_tries_it_is_given_up_with_the_reason(hook, end, receiver, later, settings):
    settings.NOTIFY_ATTEMPTS = 3
    hook()
    end()
    receiver.answers = [500] * 9
    for _ in range(6):
        notices.deliver()
        later(outbox.LONGEST_PAUSE + 1)
    found = Delivery.objects.get()
    assert (found.state, found.attempts, found.answer) == (Sending.GAVE_UP, 3, 500)
    assert "500" in found.error
    assert len(receiver.posts) == 3


def test_an_address_in_a_private_network_is_given_up_at_once(hook, end, receiver, settings):
    settings.NOTIFY_NETWORKS = []
    hook()
    end()
    notices.deliver()
    found = Delivery.objects.get()
    assert (found.state, found.attempts, receiver.posts) == (Sending.GAVE_UP, 1, [])
    assert "TRAINPORTAL_NOTIFY_NETWORKS" in found.error


def test_a_dead_address_does_not_hold_up_the_others(hook, end, receiver):
    dead, alive = hook(url="http://127.0.0.1:9/"), hook()
    for _ in range(5):
        end()
    assert notices.deliver() == 6  # one try for the dead one, which then waits as a whole
    assert alive.deliveries.filter(state=Sending.DELIVERED).count() == 5
    assert dead.deliveries.filter(state=Sending.WAITING, next_at__gt=timezone.now()).count() == 5


def test_who_left_the_project_hears_nothing_more(hook, end, bob, receiver):
    hook()
    end()
    Membership.objects.filter(user=bob).delete()
    notices.deliver()
    assert (Delivery.objects.get().state, receiver.posts) == (Sending.DROPPED, [])


def test_a_job_that_was_deleted_meanwhile_is_not_told(hook, end, receiver):
    hook()
    end().delete()
    notices.deliver()
    assert (Delivery.objects.get().state, receiver.posts) == (Sending.DROPPED, [])


def test_a_sender_that_died_in_between_is_followed_by_another_with_the_same_id(hook, end, receiver, later):
    hook()
    end()
    claimed = outbox.claim_due()  # and then the power goes
    assert outbox.claim_due() is None
    later(outbox.pause(1) + 60)
    assert notices.deliver() == 1
    assert receiver.posts[0].headers["X-Trainportal-Delivery"] == str(claimed.pk)


@pytest.mark.django_db(transaction=True)
def test_many_senders_at_once_send_each_once(hook, end, receiver):
    hook()
    for _ in range(12):
        end()
    errors: list[BaseException] = []

    def send() -> None:
        try:
            notices.deliver()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    ids = [post.headers["X-Trainportal-Delivery"] for post in receiver.posts]
    assert (len(ids), len(set(ids))) == (12, 12)


def test_what_was_sent_is_forgotten_after_a_month_and_what_waits_is_not(hook, end, receiver, later):
    one = hook()
    end()
    notices.deliver()
    at = timezone.now()
    Delivery.objects.create(subscription=one, event="test", created_at=at, next_at=at + timedelta(days=400))
    later(32 * 86400)
    notices.deliver()
    assert [found.state for found in Delivery.objects.all()] == [Sending.WAITING]


# --- e-mail ---------------------------------------------------------------------------------------------------------
@pytest.fixture
def letter(hook, bob):
    User.objects.filter(pk=bob.pk).update(email="bob@example.com")
    return hook(channel="email", url="")


def test_an_e_mail_says_what_happened_and_how_to_end_it(letter, end, bob, settings):
    settings.TRAINPORTAL_URL = "https://train.example.com"
    job = end(created_by=bob, title="valve\r\nBcc: all@example.com <b>")
    notices.deliver()
    (sent,) = mail.outbox
    assert (sent.to, sent.subject) == (["bob@example.com"], "[valves] “valve Bcc: all@example.com <b>” failed")
    assert "The GPU ran out of memory." in sent.body
    assert "> CUDA out of memory" in sent.body
    assert f"https://train.example.com{job.get_absolute_url()}" in sent.body
    assert f"https://train.example.com{reverse('jobs:notices', args=['valves'])}" in sent.body
    assert sent.extra_headers["Message-ID"] == f"<{Delivery.objects.get().pk}@trainportal>"
    assert "&lt;" not in sent.body


def test_an_e_mail_is_a_file_where_that_is_set_up(letter, end, settings, tmp_path):
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    end(State.SUCCEEDED)
    notices.deliver()
    (file,) = (tmp_path / "mail").iterdir()
    assert "To: bob@example.com" in file.read_text()


def test_a_mail_server_that_is_away_is_tried_again(letter, end, settings, later):
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = (
        "django.core.mail.backends.smtp.EmailBackend", "127.0.0.1", 9,
    )  # fmt: skip
    end()
    notices.deliver()
    found = Delivery.objects.get()
    assert (found.state, found.attempts) == (Sending.WAITING, 1)
    assert "refused" in found.error
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    later(outbox.pause(1) + 60)
    notices.deliver()
    assert len(mail.outbox) == 1


@pytest.mark.parametrize("lacks", ["server", "address"])
def test_without_a_server_or_an_address_it_is_given_up_with_a_word(letter, end, bob, settings, lacks):
    if lacks == "server":
        settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    else:
        User.objects.filter(pk=bob.pk).update(email="")
    end()
    notices.deliver()
    found = Delivery.objects.get()
    assert found.state == Sending.GAVE_UP
    assert lacks in found.error


# --- the page -------------------------------------------------------------------------------------------------------
@pytest.fixture
def page(client_of, bob):
    class Page:
        client = client_of(bob)
        url = reverse("jobs:notices", args=["valves"])

        def text(self) -> str:
            return self.client.get(self.url).content.decode()

        def post(self, name: str, *args, **data) -> str:
            url = reverse(f"jobs:{name}", args=["valves", *args])
            return self.client.post(url, data, follow=True).content.decode()

    return Page()


def test_a_webhook_is_set_up_and_its_secret_shown_once(page, receiver):
    html = page.post("notice_add", channel="webhook", url=receiver.url, events="failed", only_mine="on")
    one = Subscription.objects.get()
    assert (one.url, one.events, one.only_mine, one.is_on) == (receiver.url, "failed", True, True)
    assert webhooks.secret_of(one) in html
    assert webhooks.secret_of(one) not in page.text()
    before = webhooks.secret_of(one)
    html = page.post("notice_secret", one.pk)
    one.refresh_from_db()
    assert webhooks.secret_of(one) != before
    assert webhooks.secret_of(one) in html


@pytest.mark.parametrize("url", ["", "ftp://x.example/", "http://10.0.0.1/", "http://localhost@evil/", "nonsense"])
def test_an_address_that_cannot_be_is_refused_at_the_form(page, url, db):
    html = page.post("notice_add", channel="webhook", url=url, events="ended")
    assert not Subscription.objects.exists()
    assert "field-errors" in html


def test_an_e_mail_needs_no_web_address(page, db):
    page.post("notice_add", channel="email", url="http://left.over/", events="ended")
    one = Subscription.objects.get()
    assert (one.url, one.only_mine) == ("", False)


def test_choices_are_changed_and_it_is_removed(page, hook):
    one = hook()
    page.post("notice_change", one.pk, events="failed", only_mine="on")
    one.refresh_from_db()
    assert (one.events, one.only_mine, one.is_on) == ("failed", True, False)
    assert "no such choice" in page.post("notice_change", one.pk, events="never")
    page.post("notice_remove", one.pk)
    assert not Subscription.objects.exists()


def test_the_test_button_says_what_came_of_it(page, hook, receiver):
    one = hook(is_on=False)
    assert "The test was delivered." in page.post("notice_test", one.pk)
    assert json.loads(receiver.posts[0].body)["event"] == "test"
    receiver.answers = [404]
    html = page.post("notice_test", one.pk)
    assert "The test was not delivered. The address answered with the error 404." in html
    assert [found.state for found in Delivery.objects.all()] == [Sending.GAVE_UP, Sending.DELIVERED]


def test_the_log_tells_what_was_sent_and_why_not(page, hook, end, receiver):
    hook()
    receiver.answers = [503]
    job = end(title="a <job>")
    notices.deliver()
    html = page.text()
    assert "a &lt;job&gt;" in html
    assert job.get_absolute_url() in html
    assert "The address answered with the error 503." in html
    assert "Next try:" in html


def test_ones_e_mail_address_is_kept_where_it_is_one(page, bob):
    page.post("notice_email", email="bob@example.com")
    bob.refresh_from_db()
    assert bob.email == "bob@example.com"
    assert "field-errors" in page.post("notice_email", email="no address")
    bob.refresh_from_db()
    assert bob.email == "bob@example.com"


def test_there_is_an_end_to_how_many_one_may_have(page, hook):
    for _ in range(10):
        hook()
    assert "10 of them" in page.post("notice_add", channel="email", events="ended")
    assert Subscription.objects.count() == 10
