"""The log and the graphs of a job: they grow by what was added, and stop at the end."""

from __future__ import annotations

import re

import pytest
from django.db import transaction
from django.urls import reverse

from jobs import runfolder
from jobs.curves import storing
from jobs.models import Job, State
from kernels_app.contract import results
from tests.jobs import test_pages

toy, make, page = test_pages.toy, test_pages.make, test_pages.page  # fixtures


# --- the log --------------------------------------------------------------------------------------------------------
@pytest.fixture
def write():
    def to_log(job: Job, text: str) -> None:
        path = runfolder.log(job)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(text)

    return to_log


def test_the_log_grows_by_what_was_added(page, make, write):
    job = make()
    write(job, "one\ntwo\nhal")
    html = page("jobs:detail", job.pk)
    assert "one\ntwo\n<span" in html
    end = re.search(r"\?from=(\d+)", html).group(1)
    write(job, "f\nthree <b>\n")
    part = page("jobs:log", job.pk, **{"from": end})
    assert part.startswith("half\nthree &lt;b&gt;\n<span")
    assert part.endswith("</span>")


def test_a_log_without_news_answers_nothing(client_of, vera, make, write):
    job = make()
    write(job, "one\n")
    assert client_of(vera).get(reverse("jobs:log", args=["valves", job.pk]), {"from": 4}).status_code == 204


def test_an_ended_log_shows_its_last_line_and_stops_polling(page, make, write):
    job = make(State.FAILED)
    write(job, "one\nlast words without an end")
    assert page("jobs:log", job.pk, **{"from": 0}) == "one\nlast words without an end"
    assert "from=" not in page("jobs:detail", job.pk)


def test_a_job_without_a_log_yet_waits_for_it(client_of, vera, page, make, write):
    job = make(kind="training")
    assert "It has written nothing yet" in page("jobs:detail", job.pk)
    url = reverse("jobs:log", args=["valves", job.pk])
    assert client_of(vera).get(url).status_code == 204
    write(job, "one\n")
    assert 'id="job-log"' in client_of(vera).get(url).content.decode()


def test_a_function_without_a_log_shows_no_log_and_no_graphs(page, make):
    html = page("jobs:detail", make().pk)
    assert "job-log" not in html
    assert "job-graphs" not in html


def test_the_log_is_downloaded_whole(client_of, vera, make, write):
    job = make()
    url = reverse("jobs:log_download", args=["valves", job.pk])
    assert client_of(vera).get(url).status_code == 404
    write(job, "one\ntwo")
    answer = client_of(vera).get(url)
    assert b"".join(answer.streaming_content) == b"one\ntwo"
    assert "attachment" in answer["Content-Disposition"]


def measured(job: Job, *rows: tuple, chart: str = "loss", series: str = "a") -> None:
    """As if its kernel had written `rows`, of x and a value each."""
    with transaction.atomic():
        storing.append(job, chart, ["step", series], [(x, x, [value]) for x, value in rows])


# --- graphs ---------------------------------------------------------------------------------------------------------
def test_best_and_last_stand_below_the_graphs_with_their_files(page, make):
    job = make(kind="training")
    measured(job, (0, 0.9), (1, 0.2), (2, 0.5), series="train_loss")
    html = page("jobs:detail", job.pk)
    assert 'data-active="true"' in html
    assert re.search(r"<strong>0.2</strong>.*?step</span> 1</td>.*?>0.5</td>", html, re.DOTALL)
    assert reverse("jobs:metrics_csv", args=["valves", job.pk, "loss"]) in html
    assert "every 10s" in html
    Job.objects.update(state=State.SUCCEEDED)
    assert "every 10s" not in page("jobs:scores", job.pk)


def test_metrics_answer_only_what_is_new(client_of, vera, make):
    job = make()
    url = reverse("jobs:metrics", args=["valves", job.pk])
    assert client_of(vera).get(url).status_code == 204
    measured(job, (1, 2))
    first = client_of(vera).get(url).json()
    assert first["charts"][0]["series"] == [{"name": "a", "goal": "max", "sparse": False, "points": [[1, 2, 1]]}]
    assert client_of(vera).get(url, {"after": first["cursor"]}).status_code == 204
    Job.objects.update(state=State.SUCCEEDED)
    ended = client_of(vera).get(url, {"after": first["cursor"]}).json()
    assert ended == {"cursor": first["cursor"], "active": False, "charts": []}


@pytest.mark.parametrize("after", ["x", "", "-1", "9" * 30, "²"])
def test_a_strange_cursor_starts_from_the_beginning(client_of, vera, make, after):
    job = make()
    measured(job, (1, 2))
    assert client_of(vera).get(reverse("jobs:metrics", args=["valves", job.pk]), {"after": after}).json()["charts"]


def test_the_metrics_file_comes_as_the_kernel_wrote_it(client_of, vera, make):
    job = make()
    measured(job, (1, 2))
    url = reverse("jobs:metrics_csv", args=["valves", job.pk, "loss"])
    assert b"".join(client_of(vera).get(url).streaming_content) == b"step,a\r\n1,2\r\n"  # the file is gone
    path = runfolder.output(job) / results.METRICS / "loss.csv"
    path.parent.mkdir(parents=True)
    path.write_text("step,a\n1,2\n", encoding="utf-8")
    assert b"".join(client_of(vera).get(url).streaming_content) == b"step,a\n1,2\n"
    assert client_of(vera).get(reverse("jobs:metrics_csv", args=["valves", job.pk, "..%2F..%2Fx"])).status_code == 404
