"""The log and the graphs of a job: they grow by what was added, and stop at the end."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.db import transaction
from django.urls import reverse

from jobs import runfolder
from jobs.curves import storing
from jobs.models import Job, State
from kernels_app.contract import results
from tests.jobs import test_pages

HTMX = test_pages.HTMX
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


def shown(html: str) -> str:
    """The text of the log in a page or a part of one, its poll and what stands before its end included."""
    inner = html.partition("data-log tabindex")[2].partition(">")[2].partition("</pre>")[0] or html
    return unescape(re.sub(r"<[^>]+>", "", inner))


def test_the_log_grows_by_what_was_added(page, make, write):
    job = make()
    write(job, "one\ntwo\nhal")
    html = page("jobs:detail", job.pk)
    assert shown(html) == "one\ntwo\nhal"
    end = re.search(r"\?from=(\d+)&amp;size=11", html).group(1)
    write(job, "f\nthree <b>\n")
    part = page("jobs:log", job.pk, **{"from": end, "size": 11})
    assert shown(part) == "half\nthree <b>\n"
    assert "<b>" not in part
    assert part.endswith("</span>")
    assert "every 2s" in part


def test_a_log_without_news_answers_nothing(client_of, vera, make, write):
    job = make()
    write(job, "one\n")
    url = reverse("jobs:log", args=["valves", job.pk])
    assert client_of(vera).get(url, {"from": 4, "size": 4}).status_code == 204


def test_a_bar_that_is_not_done_yet_is_shown_as_it_stands_and_not_passed_over(page, client_of, vera, make, write):
    job = make()
    write(job, "start\n 10%\r 20%")
    part = page("jobs:log", job.pk, **{"from": 6, "size": 6})
    assert shown(part) == " 20%"
    write(job, "\r 30%")
    part = page("jobs:log", job.pk, **{"from": 6, "size": 15})
    assert shown(part) == " 30%"
    assert "from=6&amp;size=20" in part


def test_an_ended_log_shows_its_last_line_and_stops_polling(page, make, write):
    job = make(State.FAILED)
    write(job, "one\nlast words without an end")
    assert shown(page("jobs:log", job.pk, **{"from": 0})) == "one\nlast words without an end"
    assert "from=" not in page("jobs:detail", job.pk)


def test_who_is_far_behind_goes_on_at_the_tail_and_is_told(page, make, write):
    job = make()
    write(job, "".join(f"line {n}\n" for n in range(200_000)))
    part = page("jobs:log", job.pk, **{"from": 0, "size": 0})
    assert "not shown here" in part
    assert shown(part).endswith("line 199999\n")
    assert len(part) < 500_000


def test_more_that_is_there_already_is_fetched_at_once(page, make, write):
    job = make()
    write(job, "".join(f"line {n}\n" for n in range(60_000)))
    assert "load delay" in page("jobs:log", job.pk, **{"from": 0, "size": 0})


def test_a_job_without_a_log_yet_waits_for_it(client_of, vera, page, make, write):
    job = make(kind="training")
    assert "It has written nothing yet" in page("jobs:detail", job.pk)
    url = reverse("jobs:log", args=["valves", job.pk])
    assert client_of(vera).get(url, headers=HTMX).status_code == 204
    write(job, "one\n")
    assert 'id="job-log"' in client_of(vera).get(url, headers=HTMX).content.decode()


def test_errors_and_warnings_are_marked_and_a_traceback_is_one(page, make, write):
    job = make()
    write(job, "fine\nWARNING: slow\nTraceback (most recent call last):\n  File x\nValueError: no\nfine again\n")
    html = page("jobs:detail", job.pk)
    levels = re.findall(r'<span class="line(?: log-(\w+))?">', html)
    assert levels == ["", "warning", "error", "error", "error", ""]


# --- the whole log, without scripts ---------------------------------------------------------------------------------
def test_the_whole_log_is_read_part_by_part(page, make, write):
    job = make(State.FAILED)
    write(job, "".join(f"line {n:06}\n" for n in range(60_000)))
    html = page("jobs:log", job.pk, since=0)
    seen: list[str] = re.findall(r"line \d{6}", html)
    assert seen[0] == "line 000000"
    while later := re.search(r'href="\?since=(\d+)" rel="next"', html):
        html = page("jobs:log", job.pk, since=later.group(1))
        seen += re.findall(r"line \d{6}", html)
    assert seen == [f"line {n:06}" for n in range(60_000)]
    assert 'rel="prev"' in html


def test_a_line_is_shown_among_its_neighbours(page, make, write):
    job = make(State.FAILED)
    write(job, "".join(f"line {n:06}\n" for n in range(30_000)))
    html = page("jobs:log", job.pk, at=12 * 20_000)
    assert re.search(r'log-marked" id="marked">line 020000\n', html)
    assert "line 019999" in html
    assert "line 020001" in html


def test_words_and_levels_are_found_and_lead_to_their_place(page, make, write):
    job = make(State.FAILED)
    write(job, "a\nERROR: <disk> full\nb\nWARNING: disk\nDisk is slow\n")
    html = page("jobs:log", job.pk, q="disk")
    assert "3 lines found" in html
    assert 'href="?at=2#marked">ERROR: &lt;disk&gt; full' in html
    assert "1 line found" in page("jobs:log", job.pk, q="disk", level="error")
    assert "2 lines found" in page("jobs:log", job.pk, level="warning")
    assert "0 lines found" in page("jobs:log", job.pk, q="nowhere")


@pytest.mark.parametrize(
    "query", [{"at": "x"}, {"since": "-1"}, {"at": "9" * 18}, {"since": "9" * 18}, {"level": "no"}]
)
def test_strange_places_show_a_page_all_the_same(client_of, vera, make, write, query):
    job = make(State.FAILED)
    write(job, "one\n")
    assert client_of(vera).get(reverse("jobs:log", args=["valves", job.pk]), query).status_code == 200


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
