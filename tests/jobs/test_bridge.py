"""The broker bridge: each message once whenever a reader dies, and nothing left at the broker."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pika
import pytest

from jobs import bridge
from jobs.bridge import accounts, amqp, mailbox, record
from jobs.bridge.inbox import Inbox
from jobs.bridge.lines import line_of
from jobs.bridge.post import REMARKS, Post
from kernels_app.contract import status
from kernels_app.contract.config import TrainingConfig
from tests import needs
from tests.faults.proxy import Proxy
from tests.jobs.conftest import wait_for

pytestmark = pytest.mark.one_database
KEY = "the key"


@pytest.fixture
def folder(tmp_path) -> Path:
    """A run folder with its training.json."""
    fields = dict.fromkeys(("model_id", "dataset_path", "temp_path", "etc_path", "training_config_file"), "x")
    config = TrainingConfig(
        project_key=KEY, operation="training", model_write_path="x", status_file=str(tmp_path / "status.jsonl"),
        **fields,
    )  # fmt: skip
    config.write(tmp_path / "training.json")
    return tmp_path


@pytest.fixture
def broker(settings) -> str:
    settings.BROKER_URL = needs.broker()
    known = urlsplit(settings.BROKER_URL)
    settings.BROKER_KERNELS, settings.JOB_POLL = f"{known.username}:{known.password}", 0.05
    return settings.BROKER_URL


class Api:
    """RabbitMQ's management plugin, as far as the portal asks: keeps what it was sent, answers what it was told."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict | None]] = []
        self.logins: set[str] = set()
        self.answers: dict[str, tuple[int, object]] = {}
        api = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                api.asked.append((self.command, self.path, json.loads(body) if body else None))
                api.logins.add(base64.b64decode(self.headers["Authorization"].split()[1]).decode())
                code, value = api.answers.get(f"{self.command} {self.path}", (204, None))
                self.send_response(code)
                self.end_headers()
                if value is not None:
                    self.wfile.write(json.dumps(value).encode())

            do_GET = do_PUT = do_DELETE = answer

            def log_message(self, *args: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def api(settings):
    made = Api()
    settings.BROKER_API = f"http://ad%20min:pass@127.0.0.1:{made.server.server_port}/"
    yield made
    made.server.shutdown()
    made.server.server_close()


def message(step: int) -> bytes:
    return json.dumps({"project_key": KEY, "status": "training_ing", "step": step, "percentage": 1}).encode()


def steps(folder: Path) -> list[int]:
    text = (folder / "status.jsonl").read_text()
    assert text.endswith("\n")
    return [json.loads(line)["step"] for line in text.splitlines()]


def publish(queue: str, *bodies: bytes) -> None:
    with pika.BlockingConnection(pika.URLParameters(needs.broker())) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for body in bodies:
            channel.basic_publish("", queue, body, mandatory=True)


def exists(queue: str) -> bool:
    with pika.BlockingConnection(pika.URLParameters(needs.broker())) as connection:
        try:
            connection.channel().queue_declare(queue, passive=True)
        except pika.exceptions.ChannelClosedByBroker:
            return False
        return True


# --- lines and the inbox ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[1]",
        b"[" * 50_000,
        b'{"a": "' + b"x" * 2**20 + b'"}',
        bytes(range(256)),
        b"1" * 5000,
        b"null",
    ],
    ids=["empty", "words", "list", "deep", "large", "binary", "number", "null"],
)
def test_what_is_no_message_becomes_one_short_line_that_nobody_can_read(body):
    line = line_of(body)
    assert len(line) < 100
    assert b"\n" not in line
    assert status.parse(line, KEY) is None


def test_a_message_of_several_lines_in_korean_with_half_a_character_is_one_line():
    told = {"project_key": KEY, "status": "training_error", "message": "이미지가\n어둡습니다 \ud800"}
    for body in (json.dumps(told, indent=2).encode(), json.dumps(told | {"message": "어둡\n습니다"}).encode("utf-16")):
        line = line_of(body)
        assert b"\n" not in line
        assert "어둡" in status.parse(line, KEY).message


def test_messages_that_were_written_and_not_acknowledged_are_passed_over_when_they_come_again(folder):
    journal, path = folder / record.JOURNAL, folder / "status.jsonl"
    first = Inbox(path, journal)
    first.take([(message(n), False) for n in (1, 1, 2)])  # and its reader dies before the broker hears of it
    second = Inbox(path, journal)
    second.take([(message(n), True) for n in (1, 1)])
    third = Inbox(path, journal)  # the second died too
    third.take([(message(n), True) for n in (1, 1, 2)] + [(message(1), False), (message(3), False)])
    third.confirmed()
    assert steps(folder) == [1, 1, 2, 1, 3]
    Inbox(path, journal).take([(message(3), True)])  # it was brought to a reader that died before it wrote anything
    assert steps(folder) == [1, 1, 2, 1, 3, 3]


@pytest.mark.parametrize("written", [0, 1, 2, 3])
@pytest.mark.parametrize("half", [False, True])
def test_a_reader_that_dies_while_it_writes_loses_no_message_and_doubles_none(folder, written, half):
    journal, path = folder / record.JOURNAL, folder / "status.jsonl"
    path.write_bytes(message(0) + b"\n")
    Inbox(path, journal).take([(message(n), False) for n in (1, 2, 3)])
    whole = path.read_bytes().split(b"\n")
    part = whole[written + 1][:20] if half and written < 3 else b""
    path.write_bytes(b"".join(line + b"\n" for line in whole[: written + 1]) + part)
    Inbox(path, journal).take([(message(n), True) for n in (1, 2, 3)])
    found = [status.parse(line, KEY) for line in path.read_bytes().splitlines()]
    assert [one.step for one in found if one] == [0, 1, 2, 3]
    assert found.count(None) == bool(part)


@pytest.mark.parametrize("place", ["link", "pipe", "folder"])
def test_what_a_kernel_puts_in_the_place_of_the_status_file_is_not_written_into(folder, place):
    path = folder / "status.jsonl"
    other = folder / "other"
    other.write_text("")
    {"link": lambda: path.symlink_to(other), "pipe": lambda: os.mkfifo(path), "folder": path.mkdir}[place]()
    with pytest.raises(OSError):  # noqa: PT011 (of three kinds)
        Inbox(path, folder / record.JOURNAL).take([(message(1), False)])
    assert other.read_text() == ""


# --- with a real broker ----------------------------------------------------------------------------------------------


def test_a_run_is_lent_a_queue_and_what_comes_there_stands_in_its_status_file(broker, folder):
    bridge.lend(folder, "7")
    config = TrainingConfig.read(folder / "training.json")
    known = urlsplit(broker)
    assert (config.message_host, config.message_port) == (known.hostname, known.port or 5672)
    assert f"{config.message_id}:{config.message_pw}" == f"{known.username}:{known.password}"
    assert (folder / record.NAME).stat().st_mode & 0o777 == 0o600
    with bridge.listening(folder) as post:
        publish(config.queue_name, *map(message, range(500)))
        wait_for(post.is_read)
    assert steps(folder) == list(range(500))
    bridge.close(folder)
    assert not exists(config.queue_name)
    assert [path.name for path in folder.iterdir() if path.name.startswith(".broker")] == []


def test_a_reader_that_dies_between_writing_and_acknowledging_doubles_nothing(broker, folder, monkeypatch):
    bridge.lend(folder, "7")
    found = record.of(folder)
    publish(found.queue, *map(message, range(20)))

    class Killed(BaseException):
        pass

    def die(self) -> None:
        raise Killed

    dying = Post(folder, found)
    with monkeypatch.context() as patched:
        patched.setattr(pika.adapters.blocking_connection.BlockingChannel, "basic_ack", lambda *a, **k: die(dying))
        with pytest.raises(Killed):
            dying.run()  # writes what it got; its connection closes, as that of a dead process does
    assert steps(folder) == list(range(20))
    publish(found.queue, message(20))
    with bridge.listening(folder) as post:
        wait_for(post.is_read)
    assert steps(folder) == list(range(21))
    bridge.close(folder)


@pytest.mark.long  # what watches a connection looks every few seconds
def test_a_broker_behind_a_network_that_swallows_everything_is_noticed_and_found_again(broker, folder, monkeypatch):
    known = urlsplit(broker)
    door = Proxy(known.hostname, known.port or 5672)
    bridge.lend(folder, "7")
    monkeypatch.setattr(amqp, "HEARTBEAT", 1)
    monkeypatch.setattr("jobs.bridge.post.PAUSE", (0.05, 0.1))
    monkeypatch.setattr(amqp, "CONNECT", 1.0)
    monkeypatch.setattr(
        "django.conf.settings.BROKER_URL", f"amqp://{known.username}:{known.password}@127.0.0.1:{door.port}/%2F"
    )
    told: list[str] = []
    with bridge.listening(folder) as post:
        publish(record.of(folder).queue, message(1))
        wait_for(lambda: (folder / "status.jsonl").exists())
        door.mute()
        wait_for(lambda: told.extend(post.remarks()) or told == [REMARKS["away"]], 30)
        publish(record.of(folder).queue, message(2))
        door.mend()
        wait_for(post.is_read, 30)
        told += post.remarks()
    assert told == [REMARKS["away"], REMARKS["back"]]
    assert steps(folder) == [1, 2]
    bridge.close(folder)
    door.close()


def test_a_new_start_of_a_run_has_a_new_queue_and_the_last_one_is_gone(broker, folder):
    bridge.lend(folder, "7")
    first = record.of(folder).queue
    bridge.lend(folder, "7")
    second = record.of(folder).queue
    assert (exists(first), exists(second)) == (False, True)
    bridge.close(folder)


def test_a_kernel_may_declare_its_queue_as_it_is_lent(broker, folder):
    bridge.lend(folder, "7", durable=False)
    queue = record.of(folder).queue
    with pika.BlockingConnection(pika.URLParameters(broker)) as connection:
        connection.channel().queue_declare(queue)
    bridge.close(folder)


def test_queues_of_lost_runs_are_taken_back_and_those_of_others_stay(broker, folder, home):
    names = {}
    for place in ("7", "8", "9.1", "10/trials/CL/first"):
        run = home / "runs" / place
        run.mkdir(parents=True)
        (run / "training.json").write_bytes((folder / "training.json").read_bytes())
        bridge.lend(run, "trial-1" if "trials" in place else place.partition(".")[0])
        names[place] = record.of(run).queue
    bridge.sweep(lambda: {7})
    assert {place: exists(name) for place, name in names.items()} == {
        "7": True, "8": False, "9.1": False, "10/trials/CL/first": False,
    }  # fmt: skip
    bridge.sweep(lambda: set())
    assert not exists(names["7"])


def test_a_broker_that_is_away_is_said_in_words(settings, folder):
    settings.BROKER_URL, settings.BROKER_KERNELS = "amqp://guest:guest@127.0.0.1:1", "a:b"
    with pytest.raises(bridge.Away, match="refused"):
        bridge.lend(folder, "7")


# --- users of single runs --------------------------------------------------------------------------------------------


def test_with_the_management_plugin_a_run_has_a_user_that_may_write_and_nothing_else(broker, api, folder):
    bridge.lend(folder, "7")
    config = TrainingConfig.read(folder / "training.json")
    user, password, own = config.message_id, config.message_pw, config.queue_name.replace(".", r"\.")
    assert user == config.queue_name
    assert len(password) > 20
    (policy, made, rights) = api.asked
    assert policy[:2] == ("PUT", f"/api/policies/%2F/{mailbox.prefix().rstrip('.')}")
    assert policy[2]["definition"]["max-length-bytes"] == accounts.BYTES
    assert made == ("PUT", f"/api/users/{user}", {"password": password, "tags": ""})
    allowed = {"configure": "^$", "write": rf"^(amq\.default|{own})$", "read": "^$"}
    assert rights == ("PUT", f"/api/permissions/%2F/{user}", allowed)
    assert api.logins == {"ad min:pass"}
    api.asked.clear()
    bridge.close(folder)
    assert api.asked == [("DELETE", f"/api/users/{user}", None)]
    assert not exists(user)


def test_a_kernel_that_declares_its_queue_may_do_so_with_its_own_alone(broker, api, folder):
    bridge.lend(folder, "7", may_declare=True)
    own = record.of(folder).queue.replace(".", r"\.")
    assert api.asked[-1][2]["configure"] == f"^{own}$"
    bridge.close(folder)


def test_users_and_queues_that_no_folder_names_are_found_at_the_broker(broker, api, folder):
    bridge.lend(folder, "7")
    lost, prefix = record.of(folder).queue, mailbox.prefix()
    held = f"{prefix}8.abc"
    api.answers["GET /api/queues/%2F?columns=name"] = (200, [{"name": lost}, {"name": "of.others"}, {"name": held}])
    api.answers["GET /api/users?columns=name"] = (200, [{"name": f"{prefix}9.gone"}, {"name": "guest"}])
    api.answers[f"DELETE /api/users/{prefix}9.gone"] = (404, None)
    api.asked.clear()
    bridge.sweep(lambda: {8})
    dropped = Counter(path for verb, path, _body in api.asked if verb == "DELETE")
    assert dropped == {f"/api/users/{lost}": 1, f"/api/users/{prefix}9.gone": 1}
    assert not exists(lost)


def test_a_user_that_cannot_be_made_is_no_start(broker, api, folder):
    bridge.lend(folder, "7")
    api.answers[f"PUT /api/policies/%2F/{mailbox.prefix().rstrip('.')}"] = (401, None)
    with pytest.raises(bridge.Away, match="401"):
        bridge.lend(folder, "7")
    bridge.close(folder)


def test_words_of_a_fault_are_those_of_its_innermost_cause():
    assert amqp.why(OSError(ConnectionRefusedError(111, "Connection refused"))) == "[Errno 111] Connection refused"
    assert amqp.why(pika.exceptions.AMQPConnectionError()) != ""


def test_what_a_job_is_lent_while_others_are_swept_stays_its_own(home, settings, monkeypatch):
    settings.BROKER_URL = "amqp://somebody:secret@127.0.0.1/"
    folders = [home / "runs" / name for name in ("11", "12")]
    for folder in folders:
        folder.mkdir(parents=True)
        record.keep(folder, record.Mailbox(f"old{folder.name}", "u", "p", is_own=False, durable=True))
    anew, dropped = record.Mailbox("new12", "u", "p", is_own=False, durable=True), []

    def drop(queue: str, _user: str) -> None:
        dropped.append(queue)
        record.keep(folders[1], anew)  # claimed this moment

    monkeypatch.setattr(mailbox, "_drop", drop)
    mailbox.sweep(lambda: set())
    assert sorted(dropped) == ["old11", "old12"]
    assert record.of(folders[1]) == anew
