"""The curves of several models: a chart for each column of each metrics file, in it one curve a model."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from jobs import charts
from jobs.charts import Judging
from jobs.curves import levels, storing, tables
from jobs.curves.thinning import Window
from jobs.metric_models import MetricCurve
from models_app.comparing.chosen import Chosen
from models_app.models import TrainedModel

CHARTS = 60  # on one page
SHARE = 6000  # points of one chart, of all models together
FEWEST = 200  # points of a curve, however many models there are

Key = tuple[str, str]  # chart, series


class Curves:
    """All curves of the chosen models, by chart, in the order of their importance."""

    def __init__(self, chosen: Chosen) -> None:
        self.chosen = chosen
        jobs = [model.job for model in chosen.models]
        self.generations = charts.generations(*jobs)  # first: what changes meanwhile is noticed at the next look
        found = sorted(storing.curves_of(*(job.pk for job in jobs)), key=lambda curve: curve.job_id)
        by_job = {job: list(group) for job, group in groupby(found, key=lambda curve: curve.job_id)}
        self.judged = {model.pk: charts.judging(model.kernel.metrics) for model in chosen.models}
        self.of_model = {
            model.pk: sorted(by_job.get(model.job_id, []), key=self.judged[model.pk].rank) for model in chosen.models
        }
        self.by_key: dict[Key, list[tuple[TrainedModel, MetricCurve]]] = {}
        goals = {key: goal for judged in reversed(self.judged.values()) for key, goal in judged.goals.items()}
        self.shared = Judging(goals)  # what the first kernel says that knows a metric
        for model in chosen.models:
            for curve in self.of_model[model.pk]:
                self.by_key.setdefault((curve.chart, curve.series), []).append((model, curve))
        self.by_key = {key: self.by_key[key] for key in sorted(self.by_key, key=self._rank)}

    def goal(self, key: Key) -> str:
        """Min or max; "" where it is no score."""
        return self.shared.goal(self.by_key[key][0][1])

    def _rank(self, key: Key) -> tuple[object, ...]:
        """What the kernels name first, in the order of the first that does; at last what is no score."""
        places = [list(judged.goals).index(key) for judged in self.judged.values() if key in judged.goals]
        return (not places, not self.goal(key), places[:1])


def since(chosen: Chosen, cursor: str) -> dict[str, Any] | None:
    """What came after `cursor`, as `jobs.charts.since`; None where nothing did."""
    curves, seen = Curves(chosen), _seen(cursor)
    now = {
        model.pk: charts.cursor_of(
            curves.of_model[model.pk], curves.generations[model.job_id], seen.get(model.pk, 0)
        )
        for model in chosen.models
    }  # fmt: skip
    if now == seen:
        return None
    keys = list(curves.by_key)
    found = [_news(curves, key, seen) for key in keys[:CHARTS]]
    return {
        "cursor": "-".join(f"{pk}.{place}" for pk, place in now.items()),
        "active": chosen.is_live,
        "names": ["/".join(key) for key in keys[:CHARTS]],
        "left_out": sum(len(curves.by_key[key]) for key in keys[CHARTS:]),
        "charts": [chart for chart in found if chart["series"]],
    }


def window(chosen: Chosen, chart: str, part: Window) -> dict[str, Any]:
    """One chart where x lies in `part`, in more detail."""
    curves = Curves(chosen)
    key = next((key for key in curves.by_key if "/".join(key) == chart), None)
    return {"charts": [_news(curves, key, {}, part)] if key else []}


def rows(chosen: Chosen, chart: str) -> Iterator[list[Any]] | None:
    """Every point of one chart, for a CSV; None where there is no such chart."""
    curves = Curves(chosen)
    key = next((key for key in curves.by_key if "/".join(key) == chart), None)
    return _rows(curves.by_key[key]) if key else None


def _rows(found: list[tuple[TrainedModel, MetricCurve]]) -> Iterator[list[Any]]:
    first = found[0][1]
    yield ["model", "name", first.x_name, "seconds", first.series]
    for model, curve in found:
        for page in levels.points(curve, 0, curve.last_id):
            for _pk, x, t, value in page:
                yield [model.pk, model.name, tables.plain(x), tables.plain(t), tables.plain(value)]


def _news(curves: Curves, key: Key, seen: dict[int, int], part: Window | None = None) -> dict[str, Any]:
    """What is new of one chart; each curve says for itself whether it starts again."""
    judged, series = curves.shared, []
    most = max(FEWEST, min(charts.POINTS, SHARE // len(curves.by_key[key])))
    for model, curve in curves.by_key[key]:
        cursor = seen.get(model.pk, 0)
        found = charts.whole([curve], judged, most, part) if part else charts.news([curve], cursor, judged, most)
        if found:
            series.append(found["series"][0] | {"model": model.pk, "replace": found["replace"]})
    chart, column = key
    drawn = [curve for _model, curve in curves.by_key[key]]
    return {
        "name": f"{chart}/{column}",
        "title": column if column == chart else f"{chart} · {column}",
        "x": " / ".join(dict.fromkeys(curve.x_name for curve in drawn)),
        "timed": all(map(charts.is_timed, drawn)),
        "csv": curves.chosen.address("compare_csv", chart=f"{chart}/{column}"),
        "series": series,
    }


def _seen(cursor: str) -> dict[int, int]:
    """By model how far it has been seen; nothing where the cursor is none of ours."""
    found = {}
    for part in cursor.split("-"):
        pk, dot, place = part.partition(".")
        if dot and all(text.isascii() and text.isdigit() and len(text) < 19 for text in (pk, place)):
            found[int(pk)] = int(place)
    return found
