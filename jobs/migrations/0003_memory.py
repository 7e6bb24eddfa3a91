from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0002_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='host',
            name='memory_bytes',
            field=models.PositiveBigIntegerField(default=0, verbose_name='memory'),
        ),
        migrations.AddField(
            model_name='job',
            name='peak_memory',
            field=models.BigIntegerField(blank=True, null=True, verbose_name='peak memory'),
        ),
    ]
