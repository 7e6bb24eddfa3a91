"""Posting to an address of a user's: signed, in time, and never into the portal's own network."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import socket
import time

import pytest

from jobs import webhooks
from jobs.outbox import Subscription, new_nonce
from tests.receiver import Receiver

LOCAL = [ipaddress.ip_network("127.0.0.0/8")]


@pytest.fixture
def receiver(settings):
    """A server of our own, and the leave to post to it."""
    settings.NOTIFY_NETWORKS, settings.NOTIFY_TIMEOUT = LOCAL, 1.0
    found = Receiver()
    yield found
    found.close()


@pytest.fixture
def names(monkeypatch):
    """What names resolve to: the network is not asked."""
    known: dict[str, list[str]] = {}

    def resolve(host, port, *args, **kwargs):
        if host not in known:
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return known


def test_a_post_arrives_whole(receiver):
    assert webhooks.post(f"{receiver.url}hook?a=b", b'{"x": 1}', {"X-Mine": "y"}) == 200
    (found,) = receiver.posts
    assert (found.path, found.body, found.headers["X-Mine"]) == ("/hook?a=b", b'{"x": 1}', "y")
    assert found.headers["Host"] == receiver.url.split("/")[2]


@pytest.mark.parametrize("status", [400, 404, 410, 500, 503])
def test_an_error_is_a_failure_with_its_status(receiver, status):
    receiver.answers = [status]
    with pytest.raises(webhooks.Failed, match=str(status)) as found:
        webhooks.post(receiver.url, b"", {})
    assert found.value.answer == status


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(receiver, status):
    receiver.answers = [status]
    with pytest.raises(webhooks.Failed, match="leads on to another one"):
        webhooks.post(receiver.url, b"", {})
    assert len(receiver.posts) == 1


def test_who_never_answers_is_left_in_time(receiver):
    receiver.pause = 5
    began = time.monotonic()
    with pytest.raises(webhooks.Failed, match="in time"):
        webhooks.post(receiver.url, b"", {})
    assert time.monotonic() - began < 4


def test_who_answers_a_byte_now_and_then_is_left_in_time_too(receiver):
    receiver.drip = True
    began = time.monotonic()
    with pytest.raises(webhooks.Failed):
        webhooks.post(receiver.url, b"", {})
    assert time.monotonic() - began < 6


def test_nobody_there_is_said_in_words(settings):
    settings.NOTIFY_NETWORKS = LOCAL
    with pytest.raises(webhooks.Failed, match="could not be reached"):
        webhooks.post("http://127.0.0.1:9/", b"", {})


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1",
        "224.0.0.1", "255.255.255.255", "[::1]", "[::ffff:127.0.0.1]", "[fe80::1]", "[fd00::1]", "[64:ff9b::7f00:1]",
        "[::]", "[2002:7f00:1::]",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused_before_anything_is_sent(host):
    with pytest.raises(webhooks.Refused, match="private network"):
        webhooks.check(f"http://{host}/x")
    with pytest.raises(webhooks.Refused):
        webhooks.post(f"http://{host}/x", b"", {})


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "example.com", "//example.com/", "",
        "http://", "http://user:secret@example.com/", "http://example.com:99999/", "http://[broken/", "javascript:1",
    ],
)  # fmt: skip
def test_what_is_no_plain_web_address_is_refused(url):
    with pytest.raises(webhooks.Refused):
        webhooks.check(url)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "localhost"])
def test_other_spellings_of_this_machine_lead_nowhere(host):
    """What the system makes of them counts, not how they are written."""
    with pytest.raises((webhooks.Refused, webhooks.Failed)):
        webhooks.post(f"http://{host}/", b"", {})


def test_a_name_that_leads_inside_is_refused(names):
    names["inside.example"] = ["10.0.0.7"]
    with pytest.raises(webhooks.Refused, match=r"inside\.example"):
        webhooks.post("https://inside.example/", b"", {})


def test_one_private_address_among_public_ones_is_refused(names):
    names["mixed.example"] = ["93.184.216.34", "127.0.0.1"]
    with pytest.raises(webhooks.Refused):
        webhooks.post("https://mixed.example/", b"", {})


def test_a_name_that_changes_its_mind_leads_nowhere_else(names, receiver, monkeypatch):
    """The connection goes to the address that was looked at; the name is not asked again."""
    asked = []

    def resolve(host, port, *args, **kwargs):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    port = receiver.url.rstrip("/").rpartition(":")[2]
    assert webhooks.post(f"http://turncoat.example:{port}/", b"", {}) == 200
    assert asked.count("turncoat.example") == 1
    assert receiver.posts[0].headers["Host"] == f"turncoat.example:{port}"


def test_an_unknown_name_may_be_known_later(names):
    with pytest.raises(webhooks.Failed, match="not known"):
        webhooks.post("https://nowhere.example/", b"", {})


# --- the signature --------------------------------------------------------------------------------------------------
@pytest.fixture
def hook(project, bob) -> Subscription:
    return Subscription.objects.create(project=project, user=bob, channel="webhook", url="https://example.com/")


def test_a_receiver_can_prove_a_message_with_the_secret_alone(hook):
    secret, body = webhooks.secret_of(hook), b'{"text": "\xea\xb0\x80"}'
    sent = webhooks.headers(hook, "an-id", "job.failed", body)
    wanted = hmac.new(secret.encode(), sent["X-Trainportal-Timestamp"].encode() + b"." + body, hashlib.sha256)
    assert sent["X-Trainportal-Signature"] == f"sha256={wanted.hexdigest()}"
    assert abs(int(sent["X-Trainportal-Timestamp"]) - time.time()) < 5
    assert webhooks.sign(secret, "1", body) != webhooks.sign(secret, "2", body)
    assert webhooks.sign(secret, "1", body) != webhooks.sign(secret, "1", body + b" ")


def test_the_database_holds_no_usable_secret_and_each_webhook_has_its_own(hook, settings, project, bob):
    secret = webhooks.secret_of(hook)
    kept = [str(value) for value in Subscription.objects.values_list().get(pk=hook.pk)]
    assert not any(value and value in secret for value in kept if len(value) > 8)
    other = Subscription.objects.create(project=project, user=bob, channel="webhook", url=hook.url)
    assert webhooks.secret_of(other) != secret
    hook.nonce = new_nonce()
    assert webhooks.secret_of(hook) != secret
    settings.SECRET_KEY = "another"
    assert webhooks.secret_of(other) != webhooks.secret_of(hook)
