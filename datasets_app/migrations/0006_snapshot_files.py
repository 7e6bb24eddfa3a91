"""A snapshot holds its pictures, and keeps beside its manifest what a dataset is made of again."""

import json

import django.db.models.deletion
from django.db import migrations, models


def hold_pictures(apps, schema_editor):
    """Of the snapshots that are there: those of their pictures that are still here, and of their own project."""
    Snapshot, SnapshotFile = apps.get_model("datasets_app", "Snapshot"), apps.get_model("datasets_app", "SnapshotFile")
    for snapshot in Snapshot.objects.all():
        own = _pictures_of(apps, snapshot.project_id)
        wanted = sorted(_hashes(snapshot.manifest_id) & own)
        SnapshotFile.objects.bulk_create(
            [SnapshotFile(snapshot=snapshot, blob_id=one) for one in wanted], batch_size=1000
        )


def _pictures_of(apps, project):
    """Their hashes, siblings too."""
    images = apps.get_model("datasets_app", "Image").objects.filter(dataset__project=project)
    siblings = apps.get_model("datasets_app", "ImageFile").objects.filter(image__dataset__project=project)
    return {one for rows in (images, siblings) for one in rows.values_list("blob", flat=True).iterator()}


def _hashes(manifest):
    from django.conf import settings

    path = settings.TRAINPORTAL_HOME / "blobs" / manifest[:2] / manifest
    try:
        found = json.loads(path.read_bytes())
        images = [*found["train"], *found["validation"]]
        return {one for image in images for one in (image["sha256"], *image["siblings"].values())}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()


class Migration(migrations.Migration):

    dependencies = [
        ("datasets_app", "0005_frozen_by"),
    ]

    operations = [
        migrations.AddField(
            model_name="snapshot",
            name="details",
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="details_of", to="datasets_app.blob"),
        ),
        migrations.CreateModel(
            name="SnapshotFile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("blob", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="snapshot_files", to="datasets_app.blob")),
                ("snapshot", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="files", to="datasets_app.snapshot")),
            ],
            options={
                "verbose_name": "file of a snapshot",
                "verbose_name_plural": "files of snapshots",
                "constraints": [models.UniqueConstraint(fields=("snapshot", "blob"), name="file_once_a_snapshot")],
            },
        ),
        migrations.RunPython(hold_pictures, migrations.RunPython.noop),
    ]
