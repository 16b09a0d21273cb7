"""What a project needs to say, and what it can leave out."""

import os
import subprocess
import sys

import pytest
from django.urls import reverse

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

PROJECT_WITHOUT_REST = """
from tests.settings import *
INSTALLED_APPS = [app for app in INSTALLED_APPS if app != "rest_framework"]
ROOT_URLCONF = "without_rest_urls"
"""
URLS_WITHOUT_REST = """
from django.contrib import admin
from django.urls import path
urlpatterns = [path("admin/", admin.site.urls)]
"""
USE_IT = """
import sys
sys.modules["rest_framework"] = None  # as if it were not installed
import django
django.setup()
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.test import Client
from django_wfe import run_workflow
from django_wfe.models import Job
call_command("check")
from tests.workflows import Linear
job = Job.objects.get(pk=run_workflow(Linear))
assert job.state == "FINISHED", job.error
assert Client(headers={"host": "localhost"}).get("/admin/").status_code == 302
try:
    import django_wfe.urls
except (ImproperlyConfigured, ImportError) as error:
    print(type(error).__name__, error)
"""


def test_without_rest_framework_all_but_the_rest_api_works(tmp_path, child_environment):
    (tmp_path / "without_rest.py").write_text(PROJECT_WITHOUT_REST)
    (tmp_path / "without_rest_urls.py").write_text(URLS_WITHOUT_REST)
    environment = {
        **child_environment,
        "DJANGO_SETTINGS_MODULE": "without_rest",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), child_environment["PYTHONPATH"]]),
    }
    child = subprocess.run([sys.executable, "-c", USE_IT], env=environment, capture_output=True, text=True, timeout=60)
    assert child.returncode == 0, child.stderr
    assert "ImproperlyConfigured django_wfe.urls serves the REST API" in child.stdout
    assert "rest_framework" in child.stdout


def test_the_urls_are_included_under_the_namespace_django_wfe():
    assert reverse("django_wfe:job_logs", args=[1]).endswith("jobs/1/logs")
