"""Curves and their coarser levels: always what the points say, however these came, in as few as fit the wire."""

from __future__ import annotations

import math
import resource
from datetime import timedelta
from itertools import pairwise

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from jobs import charts, ingest, runfolder
from jobs.curves import levels, storing, thinning
from jobs.metric_models import MetricBucket, MetricCurve, MetricPoint
from kernels_app.contract import metrics

HARD = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def job(submit):
    job = submit()
    (runfolder.output(job) / "save" / "metrics").mkdir(parents=True)
    return job


@pytest.fixture
def read(job):
    """A new reader each time, as after the death of the last one."""
    return lambda: ingest.Ingest(job, runfolder.of(job), runfolder.output(job), lambda: None).step()


@pytest.fixture
def path(job):
    return runfolder.output(job) / "save" / "metrics" / "loss.csv"


def add(job, values: list[float | None], *, start: int = 0, series: str = "a") -> MetricCurve:
    rows = [(float(n), n / 10, [value]) for n, value in enumerate(values, start)]
    with transaction.atomic():
        storing.append(job, "loss", ["step", series], rows)
    return MetricCurve.objects.get(job=job, chart="loss", series=series)


# --- the levels are what the points say -------------------------------------------------------------------------------
def recomputed(points: list[levels.Point]) -> dict[tuple[int, int], dict]:
    """Every whole bucket, out of the points alone; deliberately the slow and plain way."""
    found, level = {}, 1
    while len(points) >= (size := levels.SPAN * levels.FACTOR ** (level - 1)):
        for number in range(len(points) // size):
            part = [(n, *points[n]) for n in range(number * size, (number + 1) * size)]
            known = [one for one in part if one[4] is not None]
            low = min(known, key=lambda one: (one[4], one[0]), default=(None,) * 5)
            high = min(known, key=lambda one: (-one[4], one[0]), default=(None,) * 5)
            gap = next((one for one in part if one[4] is None), (None,) * 5)
            found[level, number] = {
                "last_id": part[-1][1], "known": len(known), "total": pytest.approx(math.fsum(one[4] for one in known)),
                "x_min": min(one[2] for one in part), "x_max": max(one[2] for one in part),
                "t_min": min(one[3] for one in part), "t_max": max(one[3] for one in part),
                "low_n": low[0], "low_x": low[2], "low_t": low[3], "low": low[4],
                "high_n": high[0], "high_x": high[2], "high_t": high[3], "high": high[4],
                "gap_n": gap[0], "gap_x": gap[2], "gap_t": gap[3],
            }  # fmt: skip
        level += 1
    return found


def check(job) -> None:
    """Everything that is kept of the job's curves against its points."""
    told = {(curve.chart, curve.series): curve for curve in MetricCurve.objects.filter(job=job)}
    assert set(told) == set(MetricPoint.objects.filter(job=job).values_list("chart", "series"))
    for curve in told.values():
        points = list(levels.rows_of(curve).order_by("pk").values_list("pk", "x", "t", "value"))
        known = [(x, value) for _pk, x, _t, value in points if value is not None]
        assert (curve.count, curve.known, curve.last_id >= points[-1][0]) == (len(points), len(known), True)
        low = min(known, key=lambda one: one[1], default=(None, None))
        high = max(known, key=lambda one: one[1], default=(None, None))
        last = known[-1] if known else (None, None)
        assert (curve.low_x, curve.low, curve.high_x, curve.high) == (*low, *high)
        assert (curve.last_x, curve.last) == last
        kept = {(row.pop("level"), row.pop("number")): row for row in curve.buckets.values()}
        for row in kept.values():
            del row["id"], row["curve_id"]
        assert kept == recomputed(points)


VALUES = some.one_of(some.none(), some.floats(-1e6, 1e6), some.integers(-3, 3).map(float))
DOINGS = some.lists(
    some.one_of(
        some.tuples(some.just("append"), some.lists(some.tuples(VALUES, VALUES), max_size=400)),
        some.tuples(some.just("cut"), some.integers(0, 900)),
        some.tuples(some.just("replace"), some.lists(some.tuples(VALUES, VALUES), max_size=60)),
        some.tuples(some.just("look"), some.none()),
    ),
    max_size=8,
)


@HARD
@given(doings=DOINGS)
def test_levels_equal_a_recomputation_after_appends_cuts_and_replacement(job, read, path, doings):
    path.write_text("step,a,b\n")
    step = 0

    def lines(rows) -> str:
        nonlocal step
        text = ""
        for a, b in rows:
            step += 1
            text += f"{step},{'' if a is None else repr(a)},{'' if b is None else repr(b)}\n"
        return text

    for what, given_ in doings:
        if what == "append":
            with path.open("a") as file:
                file.write(lines(given_))
        elif what == "cut":
            metrics.cut_back(path.parent, given_)
            step = min(step, given_)
        elif what == "replace":
            step = 0
            new = path.with_name("new")
            new.write_text("step,a,b\n" + lines(given_))
            new.replace(path)
        read()
        check(job)
    ingest.reset(job)
    assert not MetricBucket.objects.filter(curve__job=job).exists()
    check(job)


def test_where_a_level_cannot_be_written_no_point_of_that_read_stays(job, read, path):
    path.write_text("step,a\n" + "1,1\n" * 40)
    read()
    [curve] = MetricCurve.objects.filter(job=job)
    bucket = curve.buckets.get()
    bucket.pk, bucket.number = None, 1
    bucket.save()  # stands where the next one belongs
    with path.open("a") as file:
        file.write("2,2\n" * 100)
    with pytest.raises(IntegrityError):
        read()
    bucket.delete()
    check(job)
    assert MetricPoint.objects.filter(job=job).count() == 40
    read()
    check(job)
    assert MetricPoint.objects.filter(job=job).count() == 140


def test_curves_of_older_points_are_made_when_they_are_asked_for(job):
    rows = [MetricPoint(job=job, chart="loss", series=s, x=n, t=n, value=n % 7) for n in range(5000) for s in "ab"]
    MetricPoint.objects.bulk_create(rows)
    answer = charts.since(job, 0)
    assert [series["name"] for series in answer["charts"][0]["series"]] == ["a", "b"]
    check(job)
    ingest.Ingest(job, runfolder.of(job), runfolder.output(job), lambda: None)
    add(job, [9.0] * 100, start=5000)
    check(job)


# --- what is drawn ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("count", [1000, 1001, 5000, pytest.param(16_000, marks=pytest.mark.long), 60_000])
@pytest.mark.parametrize("gaps", [False, True])
def test_spikes_and_gaps_survive_at_any_length(job, count, gaps):
    values: list[float | None] = [float(n % 10) for n in range(count)]
    up, down, gap = count // 3, count // 2, range(2 * count // 3, 2 * count // 3 + count // 50)
    values[up], values[down] = 1e3, -1e3
    if gaps:
        values[gap.start : gap.stop] = [None] * len(gap)
    found = thinning.thinned(add(job, values), 1000)
    assert len(found.points) + len(found.means) <= 1000
    by_x = {x: value for x, value, _t in found.points}
    assert (by_x[up], by_x[down]) == (1e3, -1e3)
    assert [x for x, _v, _t in found.points] == sorted(by_x)
    inside = {value for x, value in by_x.items() if x in gap}
    assert inside == ({None} if gaps else inside)
    assert found.points[-1][0] == count - 1
    assert found.is_whole is (count <= 1000)


def test_a_spike_does_not_lift_the_mean_of_its_stretch_to_the_middle(job):
    values = [1.0] * 100_000
    values[50_000] = 1001.0
    found = thinning.thinned(add(job, values), 1000)
    assert max(mean for _x, mean, _t in found.means) < 6


def test_a_curve_with_values_now_and_then_has_no_gaps_between_them(job):
    values = [float(n) if n % 100 == 0 else None for n in range(50_000)]
    found = thinning.thinned(add(job, values), 1000)
    assert None not in [value for _x, value, _t in found.points]
    assert len(found.points) > 300


@pytest.mark.parametrize(("low", "high"), [(40_000, 40_400), (0, 900), (20_000, 49_999), (59_990, 2e9), (-5, 59_999)])
def test_a_part_is_shown_in_detail_with_what_leads_in_and_out(job, low, high):
    curve = add(job, [float(n * 7 % 1000) for n in range(60_000)])
    found = thinning.thinned(curve, 1000, (low, high))
    xs = [x for x, _v, _t in found.points]
    assert len(xs) + len(found.means) <= 1000
    assert xs[0] <= max(low, 0) + 1
    assert xs[-1] >= min(high, 59_999) - 1
    inside = [x for x in xs if low <= x <= high]
    assert len(inside) >= min(300, min(high, 59_999) - max(low, 0))


def test_a_part_in_which_nothing_is_has_no_points(job):
    assert thinning.thinned(add(job, [1.0] * 5000), 1000, (9000, 9500)).points == []


def test_curves_over_something_that_does_not_rise_are_drawn_in_their_order(job):
    rows = [(n % 50 / 50, 0.0, [n / 4000]) for n in range(4000)]
    with transaction.atomic():
        storing.append(job, "pr", ["recall", "a"], rows)
    found = thinning.thinned(MetricCurve.objects.get(chart="pr"), 1000)
    assert [value for _x, value, _t in found.points] == sorted(value for _x, value, _t in found.points)
    assert charts.since(job, 0)["charts"][0]["timed"] is False


# --- what is new ------------------------------------------------------------------------------------------------------
def test_only_the_chart_that_was_replaced_starts_again(job, read, path):
    path.write_text("step,a\n1,1\n")
    path.with_name("map.csv").write_text("step,b\n1,1\n")
    read()
    first = charts.since(job, 0)
    path.with_name("new").write_text("step,b\n9,9\n")
    path.with_name("new").replace(path.with_name("map.csv"))
    with path.open("a") as file:
        file.write("2,2\n")
    read()
    second = charts.since(job, first["cursor"])
    shown = {chart["name"]: (chart["replace"], chart["series"][0]["points"][0][:2]) for chart in second["charts"]}
    assert shown == {"loss": (False, [2, 2]), "map": (True, [9, 9])}


def test_a_chart_that_is_gone_is_told(job, read, path):
    path.write_text("step,a\n1,1\n")
    read()
    first = charts.since(job, 0)
    path.with_name("new").write_text("step,a\n")
    path.with_name("new").replace(path)
    read()
    second = charts.since(job, first["cursor"])
    assert (first["names"], second["names"], second["charts"]) == (["loss"], [], [])
    assert charts.since(job, second["cursor"]) is None


def test_much_that_came_at_once_replaces_the_chart(job):
    add(job, [1.0] * 10)
    first = charts.since(job, 0)
    add(job, [2.0] * 1001, start=10)
    [chart] = charts.since(job, first["cursor"])["charts"]
    assert chart["replace"] is True
    assert len(chart["series"][0]["points"]) <= 1000


def test_the_primary_metric_comes_first_and_goals_are_told(job):
    with transaction.atomic():
        storing.append(job, "accuracy", ["step", "accuracy"], [(1, 1, [0.5])])
        storing.append(job, "pr", ["recall", "good"], [(1, 1, [0.5])])
        storing.append(job, "z", ["step", "cost", "score"], [(1, 1, [0.5, 0.1])])
    named = [{"file": "z.csv", "column": "cost", "goal": "min"}, {"file": "z.csv", "column": "score", "primary": True}]
    answer = charts.since(job, 0, charts.judging(named))
    assert answer["names"] == ["z", "accuracy", "pr"]
    assert [series["goal"] for series in answer["charts"][0]["series"]] == ["min", "max"]


# --- times ------------------------------------------------------------------------------------------------------------
def test_rows_that_were_read_together_are_spread_over_the_time_in_between(job, path):
    job.started_at = job.created_at - timedelta(seconds=100)
    path.write_text("step,a\n0,0\n")
    reader = ingest.Ingest(job, runfolder.of(job), runfolder.output(job), lambda: None)
    reader.step()
    job.started_at -= timedelta(seconds=50)  # as if so much time had passed
    with path.open("a") as file:
        file.write("".join(f"{n},{n}\n" for n in range(1, 11)))
    reader.step()
    times = list(MetricPoint.objects.filter(job=job).order_by("pk").values_list("t", flat=True))
    assert [later - earlier for earlier, later in pairwise(times)] == pytest.approx([5.0] * 10, abs=0.5)


def test_what_was_measured_before_an_interruption_keeps_its_time(job, read, path):
    path.write_text("step,a\n" + "".join(f"{n},{n}\n" for n in range(10)))
    read()
    for n, point in enumerate(MetricPoint.objects.filter(job=job).order_by("pk")):
        MetricPoint.objects.filter(pk=point.pk).update(t=100 * n)
    metrics.cut_back(path.parent, 6)
    with path.open("a") as file:
        file.write("7,70\n")
    read()
    times = list(MetricPoint.objects.filter(job=job).order_by("pk").values_list("t", flat=True))
    assert times[:7] == [0, 100, 200, 300, 400, 500, 600]


# --- files that mean no good ------------------------------------------------------------------------------------------
def test_two_columns_of_one_name_are_two_curves(job, read, path):
    path.write_text("step,a,a," + "x" * 150 + "," + "x" * 160 + "\n1,2,3,4,5\n")
    read()
    assert list(MetricCurve.objects.filter(job=job).values_list("series", flat=True)) == [
        "a", "a (2)", "x" * 100, "x" * 95 + " (2)",
    ]  # fmt: skip
    check(job)


def test_numbers_at_the_edge_of_what_is_one_break_nothing(job, read, path):
    edge = ["1.7e308", "-1.7e308", "5e-324", "1e999", "-inf", "nan", "", "0x10", "1_0"]
    path.write_text("step,a\n" + "".join(f"{n},{edge[n % len(edge)]}\n" for n in range(3000)))
    read()
    curve = MetricCurve.objects.get(job=job)
    assert (curve.low, curve.high) == (-1.7e308, 1.7e308)
    thinning.thinned(curve, 1000)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("1,2,3\n", id="rows"),
        pytest.param("\n", id="empty", marks=pytest.mark.long),
        pytest.param("x,y\n", id="text", marks=pytest.mark.long),
        pytest.param(",".join("1" * 65) + "\n", id="wide"),
        pytest.param('1,"\n', id="quote", marks=pytest.mark.long),
    ],
)
def test_a_huge_file_is_read_in_little_memory_and_in_pieces(job, path, line, monkeypatch):
    monkeypatch.setattr(ingest, "BUDGET", 0.0)
    path.write_text("step," + ",".join(f"c{n}" for n in range(64)) + "\n" + line * (1_500_000 // len(line)))
    reader = ingest.Ingest(job, runfolder.of(job), runfolder.output(job), lambda: None)
    more = reader.step()
    before, steps = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 1
    while more and steps < 4:
        more, steps = reader.step(), steps + 1
    assert steps > 2, "time was up after a chunk, and yet it went on"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # KB


def test_a_chart_with_too_many_curves_says_how_many_are_not_shown(job, monkeypatch):
    monkeypatch.setattr(charts, "CURVES", 3)
    with transaction.atomic():
        storing.append(job, "loss", ["step", *"abcde"], [(1, 1, [1.0] * 5)])
    answer = charts.since(job, 0)
    assert (len(answer["charts"][0]["series"]), answer["left_out"]) == (3, 2)


def test_a_view_of_a_long_curve_reads_few_rows(job, django_assert_max_num_queries):
    curve = add(job, [float(n % 100) for n in range(100_000)])
    with django_assert_max_num_queries(10):
        thinning.thinned(curve, 1000)
    level = thinning._level(curve.count, 333)
    assert 333 <= curve.buckets.filter(level=level).count() < 333 * levels.FACTOR
