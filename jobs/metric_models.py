"""What kernels measured: every point, what is known of each curve, its coarser levels, how far a file has been read.

All of it is written by `jobs.curves`, in the transaction that moves the cursor of the file.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

METRICS = "metrics/"  # what the file of a cursor begins with that is one of metrics
NAME_LIMIT = 100  # characters of a chart's or a curve's name


class MetricPoint(models.Model):
    """One value of one curve. `t`: seconds since the job started, when the row was written. `value` None is a gap."""

    job = models.ForeignKey("jobs.Job", models.CASCADE, related_name="points", db_index=False)  # the index below has it
    chart = models.CharField(max_length=NAME_LIMIT)
    series = models.CharField(max_length=NAME_LIMIT)
    x = models.FloatField()
    t = models.FloatField()
    value = models.FloatField(null=True)

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["job", "chart", "series", "id"])]
        verbose_name = _("metric point")
        verbose_name_plural = _("metric points")

    def __str__(self) -> str:
        return f"{self.chart}/{self.series} {self.x}: {self.value}"


class MetricCurve(models.Model):
    """One curve and what is known of all its points, so that nobody has to read them for that.

    `count` points, `known` of them with a value; of equal lowest or highest ones the first counts. `first_id` and
    `last_id`: of the chart's points. The lowest level of its buckets covers `covered` points, up to `covered_id`.
    """

    job = models.ForeignKey("jobs.Job", models.CASCADE, related_name="curves", db_index=False)
    chart = models.CharField(max_length=NAME_LIMIT)
    series = models.CharField(max_length=NAME_LIMIT)
    place = models.PositiveSmallIntegerField(default=0)  # of its column among the file's curves
    x_name = models.CharField(max_length=NAME_LIMIT, default="step")
    count = models.PositiveBigIntegerField(default=0)
    known = models.PositiveBigIntegerField(default=0)
    first_id = models.BigIntegerField(default=0)
    last_id = models.BigIntegerField(default=0)
    low = models.FloatField(null=True)
    low_x = models.FloatField(null=True)
    high = models.FloatField(null=True)
    high_x = models.FloatField(null=True)
    last = models.FloatField(null=True)
    last_x = models.FloatField(null=True)
    last_t = models.FloatField(null=True)
    covered = models.PositiveBigIntegerField(default=0)
    covered_id = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["chart", "place", "pk"]
        constraints = [models.UniqueConstraint(fields=["job", "chart", "series"], name="one_curve_a_column")]
        verbose_name = _("metric curve")
        verbose_name_plural = _("metric curves")

    def __str__(self) -> str:
        return f"{self.chart}/{self.series}"

    @property
    def is_sparse(self) -> bool:
        """Measured only now and then, as a validation every hundred steps: what lies between is no gap."""
        return self.known * 2 <= self.count


class MetricBucket(models.Model):
    """Consecutive points of a curve in one row, see `jobs.curves.levels`. `…_n`: at which point, counted from 0.

    `last_id`: of its last point; `known` of its points have a value, `total` is their sum. Low, high and the first gap
    are None where there is none.
    """

    curve = models.ForeignKey(MetricCurve, models.CASCADE, related_name="buckets", db_index=False)
    level = models.PositiveSmallIntegerField()
    number = models.PositiveBigIntegerField()
    last_id = models.BigIntegerField()
    known = models.PositiveBigIntegerField()
    total = models.FloatField()
    x_min = models.FloatField()
    x_max = models.FloatField()
    t_min = models.FloatField()
    t_max = models.FloatField()
    low = models.FloatField(null=True)
    low_x = models.FloatField(null=True)
    low_t = models.FloatField(null=True)
    low_n = models.BigIntegerField(null=True)
    high = models.FloatField(null=True)
    high_x = models.FloatField(null=True)
    high_t = models.FloatField(null=True)
    high_n = models.BigIntegerField(null=True)
    gap_x = models.FloatField(null=True)
    gap_t = models.FloatField(null=True)
    gap_n = models.BigIntegerField(null=True)

    class Meta:
        ordering = ["curve", "level", "number"]
        constraints = [models.UniqueConstraint(fields=["curve", "level", "number"], name="one_bucket_a_place")]
        verbose_name = _("metric bucket")
        verbose_name_plural = _("metric buckets")

    def __str__(self) -> str:
        return f"{self.curve_id}, level {self.level}: {self.number}"


WHOLE = 32 * 1024 * 1024  # bytes of a metrics file of which every row is kept


class IngestCursor(models.Model):
    """How far a file of a run has been read; moved in the transaction that stores what was read.

    `times`: of a file that was cut back, `[x, t]` of what it held before, so that what is read again keeps its times.
    """

    job = models.ForeignKey("jobs.Job", models.CASCADE, related_name="cursors")
    file = models.CharField(max_length=255)
    inode = models.BigIntegerField(default=0)
    offset = models.BigIntegerField(default=0)
    columns = models.JSONField(default=list)
    generation = models.PositiveIntegerField(default=0)
    bad_rows = models.PositiveIntegerField(default=0)
    times = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "file"], name="one_cursor_a_file")]

    def __str__(self) -> str:
        return f"{self.file}@{self.offset}"

    @property
    def is_thinned(self) -> bool:
        """Whether not every row of a metrics file became a point, as it is so large."""
        return self.file.startswith(METRICS) and self.offset > WHOLE

    @property
    def name(self) -> str:
        """Of the metrics file, as its graph is called after it."""
        return self.file.removeprefix(METRICS)
