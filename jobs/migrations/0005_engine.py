# Where jobs stop, move and wait: limits, lost hosts, isolation

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0004_metric_levels'),
    ]

    operations = [
        migrations.AddField(
            model_name='host',
            name='is_stale',
            field=models.BooleanField(default=False, help_text='Its jobs went elsewhere while it was away: it gets none until nothing of theirs runs on it.', verbose_name='was given up'),
        ),
        migrations.AddField(
            model_name='host',
            name='sandbox',
            field=models.CharField(blank=True, help_text='What encloses its kernels.', max_length=16, verbose_name='isolation'),
        ),
        migrations.AddField(
            model_name='job',
            name='limits',
            field=models.JSONField(blank=True, default=dict, help_text="Where they differ from the installation's."),
        ),
        migrations.AddField(
            model_name='job',
            name='moves',
            field=models.PositiveIntegerField(default=0, help_text='How often it left a host that was lost.'),
        ),
        migrations.AddField(
            model_name='job',
            name='stop_reason',
            field=models.CharField(blank=True, choices=[('cancel', 'cancelled'), ('wall', 'time limit'), ('silence', 'silence'), ('disk', 'disk quota')], max_length=12, verbose_name='stopped for'),
        ),
        migrations.AlterField(
            model_name='lease',
            name='job',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='leases', to='jobs.job'),
        ),
    ]
