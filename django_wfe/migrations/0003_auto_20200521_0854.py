"""Stands where django-wfe 1.x had a migration of this name: its databases, and migrations of projects, refer to it."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [("django_wfe", "0002_auto_20200511_0939")]

    operations = []
