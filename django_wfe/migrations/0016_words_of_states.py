"""Say the words of each state as the pages do."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("django_wfe", "0015_kept_sentences"),
    ]

    operations = [
        migrations.AlterField(
            model_name="job",
            name="state",
            field=models.CharField(
                choices=[
                    ("PENDING", "pending"),
                    ("ONGOING", "ongoing"),
                    ("INPUT_REQUIRED", "waiting for input"),
                    ("INPUT_RECEIVED", "input received"),
                    ("WAITING", "waiting to try again"),
                    ("PAUSED", "paused"),
                    ("FAILED", "failed"),
                    ("FINISHED", "finished"),
                    ("CANCELED", "canceled"),
                ],
                default="PENDING",
                max_length=16,
                verbose_name="state",
            ),
        ),
        migrations.AlterField(
            model_name="steprun",
            name="state",
            field=models.CharField(
                choices=[
                    ("READY", "ready to run"),
                    ("RUNNING", "running"),
                    ("INPUT_REQUIRED", "waiting for input"),
                    ("FINISHED", "done"),
                    ("SKIPPED", "skipped"),
                    ("FAILED", "failed"),
                    ("LOST", "lost its worker"),
                    ("CANCELED", "canceled"),
                ],
                max_length=16,
                verbose_name="state",
            ),
        ),
    ]
