"""What a kernel writes, read by offset: whole lines, once, whatever is in them."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from types import SimpleNamespace

import pytest
from django.db import OperationalError, transaction

from jobs import charts, ingest, metric_models, runfolder
from jobs.models import Fenced
from kernels_app.contract import metrics


@pytest.fixture
def job(submit):
    job = submit()
    (runfolder.output(job) / "save" / "metrics").mkdir(parents=True)
    return job


@pytest.fixture
def reader(job):
    """A new reader each time, as after the death of the last one."""
    return lambda: ingest.Ingest(job, runfolder.of(job), runfolder.output(job), lambda: None)


@pytest.fixture
def write(job):
    def append(text: str, name: str = "loss.csv", mode: str = "a") -> None:
        with (runfolder.output(job) / "save" / "metrics" / name).open(mode, newline="") as file:
            file.write(text)

    return append


def values(job, series: str, chart: str = "loss") -> list:
    rows = job.points.filter(chart=chart, series=series).order_by("pk")
    return [[x, value] for x, value in rows.values_list("x", "value")]


def drawn(answer: dict) -> list:
    """The points of the first curve of an answer, without their times."""
    return [point[:2] for point in answer["charts"][0]["series"][0]["points"]]


def test_half_a_line_waits_for_its_end(job, reader, write):
    write("step,train\n1,0.5\n2,0.")
    reader().step()
    assert values(job, "train") == [[1, 0.5]]
    write("25\n")
    reader().step()
    assert values(job, "train") == [[1, 0.5], [2, 0.25]]


def test_rows_are_stored_once_however_often_readers_come_and_go(job, reader, write):
    write("step,train\n" + "".join(f"{n},{n}\n" for n in range(100)))
    for _ in range(3):
        reader().step()
    assert len(values(job, "train")) == 100


def test_gaps_garbage_and_changing_columns_are_survived(job, reader, write):
    write("﻿step, a, b\r\n1, 2, \r\n2,nan,inf\r\nrubbish\r\n3,x,1\r\n4,5,6,7\r\n5,1\r\n,1,2\r\n6,8,9\r\n")
    reader().step()
    assert values(job, "a") == [[1, 2], [2, None], [5, 1], [6, 8]]
    assert values(job, "b") == [[1, None], [2, None], [5, None], [6, 9]]
    assert job.cursors.get(file="metrics/loss.csv").bad_rows == 4


def test_a_file_that_was_cut_back_replaces_its_rows(job, reader, write):
    write("step,train\n1,1\n2,2\n3,3\n")
    reader().step()
    before = charts.since(job, 0)
    metrics.cut_back(runfolder.output(job) / "save" / "metrics", 1)
    write("2,20\n")
    reader().step()
    assert values(job, "train") == [[1, 1], [2, 20]]
    after = charts.since(job, before["cursor"])
    assert after["charts"][0]["replace"] is True
    assert drawn(after) == [[1, 1], [2, 20]]


def test_a_charts_answer_holds_only_what_is_new(job, reader, write):
    write("step,train\n1,1\n")
    reader().step()
    first = charts.since(job, 0)
    assert charts.since(job, first["cursor"]) is None
    write("2,2\n")
    reader().step()
    second = charts.since(job, first["cursor"])
    assert (second["charts"][0]["replace"], drawn(second)) == (False, [[2, 2]])


def test_a_long_curve_is_thinned_and_its_spike_survives(job, reader, write):
    rows = [f"{n},{1000 if n == 7777 else n % 10}\n" for n in range(20_000)]
    write("step,train\n" + "".join(rows))
    reader().step()
    answer = charts.since(job, 0)
    points = drawn(answer)
    assert len(points) + len(answer["charts"][0]["series"][0]["means"]) <= 1000
    assert [7777, 1000] in points
    assert [point[0] for point in points] == sorted(point[0] for point in points)


def test_an_old_holder_stores_nothing(job, write):
    def guard() -> None:
        raise Fenced

    write("step,train\n1,1\n")
    with pytest.raises(Fenced):
        ingest.Ingest(job, runfolder.of(job), runfolder.output(job), guard).step()
    assert values(job, "train") == []
    assert not job.cursors.exists()


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"[]",
        b"{}",
        b'{"project_key": "other", "status": "training_done"}',
        b"\xff\xfe",
        b"{" * 100_000,
        b"x" * 300_000,
    ],
    ids=["text", "list", "empty", "other key", "binary", "deep", "long"],
)
def test_a_line_that_is_no_message_is_counted_and_changes_nothing(job, reader, line):
    good = json.dumps({"project_key": job.run_key, "status": "training_ing", "percentage": 5, "step": 3}).encode()
    (runfolder.of(job) / "status.jsonl").write_bytes(line + b"\n" + good + b"\n")
    reader().step()
    job.refresh_from_db()
    assert (job.percentage, job.step, job.kernel_done, job.bad_lines) == (5, 3, False, 1)


@pytest.mark.parametrize(("said", "shown"), [(150, 100), (-5, 0), ("42", 42), (None, 0), ("x", 0), (1e400, 0)])
def test_a_percentage_is_held_between_0_and_100(job, reader, said, shown):
    message = {"project_key": job.run_key, "status": "training_ing", "percentage": said}
    (runfolder.of(job) / "status.jsonl").write_text(json.dumps(message) + "\n")
    reader().step()
    job.refresh_from_db()
    assert job.percentage == shown


def test_of_a_file_past_its_size_about_one_row_of_each_block_is_kept_wherever_a_reader_goes_on(
    job, reader, write, monkeypatch
):
    monkeypatch.setattr(ingest, "WHOLE", 10_000)
    monkeypatch.setattr(metric_models, "WHOLE", 10_000)
    rows = "".join(f"{n},{n}\n" for n in range(10_000))
    write("step,train\n" + rows[:60_001])
    reader().step()
    write(rows[60_001:] + "x\n")
    reader().step()
    kept = [x for x, _value in values(job, "train")]
    begins = [len("step,train\n") + sum(len(f"{n},{n}\n") for n in range(int(x))) for x in kept[-3:]]
    assert all(begin // 1024 + 1 == (begin + len("9999,9999\n")) // 1024 for begin in begins)
    assert len(kept) == len(set(kept))
    assert kept[:1000] == list(range(1000))
    assert len([x for x in kept if x > 2000]) == pytest.approx(80_000 / 1024, abs=3)
    assert [(file.name, file.is_thinned) for file in job.half_read] == [("loss.csv", True)]


def test_rows_are_stored_once_though_the_answer_to_a_commit_is_lost(job, reader, write, monkeypatch):
    losing = [True]

    @contextlib.contextmanager
    def atomic():
        with transaction.atomic():
            yield
        if losing:
            losing.clear()
            raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(ingest, "transaction", SimpleNamespace(atomic=atomic))
    write("step,train\n1,0.5\n2,0.25\n")
    (runfolder.of(job) / "status.jsonl").write_text("no message\n")
    same = reader()
    with pytest.raises(OperationalError):
        same.step()
    losing.append(True)
    with pytest.raises(OperationalError):
        same.step()
    write("3,0.125\n")
    same.step()
    assert values(job, "train") == [[1, 0.5], [2, 0.25], [3, 0.125]]
    job.refresh_from_db()
    assert job.bad_lines == 1


def test_best_and_last_know_which_way_is_better(job, reader, write):
    write("step,val_loss,accuracy\n1,3,0.5\n2,1,0.9\n3,2,0.7\n")
    reader().step()
    scores = charts.best_and_last(job, {})["loss"]
    assert (scores["val_loss"]["best"], scores["val_loss"]["best_at"], scores["val_loss"]["last"]) == (1, 2, 2)
    assert (scores["accuracy"]["best"], scores["accuracy"]["best_at"]) == (0.9, 2)


@pytest.mark.parametrize("place", ["save/metrics", "save"])
def test_a_folder_that_is_a_link_leads_to_no_other_run(job, reader, tmp_path, place):
    strange = tmp_path / "strange" / "metrics"
    strange.mkdir(parents=True)
    (strange / "secret.csv").write_text("step,secret\n1,2\n")
    folder = runfolder.of(job) / runfolder.OUTPUT / place
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(strange if place == "save/metrics" else strange.parent)
    reader().step(final=True)
    assert values(job, "secret", "secret") == []
    folder.unlink()
    shutil.copytree(strange if place == "save/metrics" else strange.parent, folder)
    reader().step(final=True)
    assert values(job, "secret", "secret") != []


def test_terabytes_that_were_never_written_are_not_read(job, reader, write):
    write("step,train\n1,0.5\n")
    path = runfolder.output(job) / "save" / "metrics" / "loss.csv"
    with path.open("r+b") as file:
        file.truncate(10 * 1024**4)
        file.seek(0, 2)
        file.write(b"\n" + b"".join(b"%d,0.25\n" % n for n in range(2, 2000)))
    began = time.monotonic()
    while reader().step(final=True):
        assert time.monotonic() - began < 20
    first, *behind = values(job, "train")
    assert first == [1, 0.5]
    assert behind, "what was written behind it is drawn, as of any large file about one row of each kilobyte"
    with path.open("r+b") as file:
        file.truncate(12 * 1024**4)
    while reader().step(final=True):
        assert time.monotonic() - began < 20
