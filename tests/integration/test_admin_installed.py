"""The console in other projects: without the optional apps, and on an admin site of their own."""

import subprocess
import sys

import pytest
from django.contrib.admin import AdminSite

from django_wfe.admin import INDEX_TEMPLATE, register_console
from django_wfe.engine.lifecycle import run_workflow
from tests.support.doors.console import read_page, record, sign_in_superuser
from tests.workflows import Failing

pytestmark = pytest.mark.integration

BEGIN = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
from django.conf import settings
settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app not in {without!r}]
{more}
import django
django.setup()
from django.core.management import call_command
call_command("check")
from django.contrib import admin
from django.urls import reverse
"""


def run(code: str, *without: str, more: str = "") -> str:
    """Run code in a project without these apps."""
    program = BEGIN.format(without=without, more=more) + code
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_the_optional_apps_the_console_is_there_and_only_the_export_is_not() -> None:
    output = run(
        """
from django.urls import NoReverseMatch
print(reverse("admin:django_wfe_console"), reverse("admin:django_wfe_job_changelist"))
try:
    reverse("admin:django_wfe_job_export")
except NoReverseMatch:
    print("no export")
""",
        "import_export",
        "django_htmx",
        "rest_framework",
        more='settings.ROOT_URLCONF = "tests.support.doors.two_sites"',
    )
    assert output.splitlines()[-2:] == ["/admin/django_wfe/workflow/console/ /admin/django_wfe/job/", "no export"]


def test_a_site_with_an_index_template_of_its_own_keeps_it() -> None:
    site, plain = AdminSite(name="operations"), AdminSite(name="plain")
    site.index_template = "shop/index.html"
    register_console(site)
    register_console(plain)
    assert (site.index_template, plain.index_template) == ("shop/index.html", INDEX_TEMPLATE)


@pytest.mark.django_db
@pytest.mark.urls("tests.support.doors.two_sites")
def test_pages_of_a_second_admin_site_lead_to_that_site() -> None:
    job_id = run_workflow(record(Failing))
    client = sign_in_superuser()
    for path in (
        "/operations/",
        "/operations/django_wfe/",
        "/operations/django_wfe/workflow/console/",
        "/operations/django_wfe/job/",
        f"/operations/django_wfe/job/{job_id}/change/",
    ):
        page = read_page(client.get(path))
        links = [link.address for link in page.links if "/django_wfe/" in link.address]
        assert len(links) > 3
        assert all(link.startswith("/operations/") for link in links), links
    retried = client.post(f"/operations/django_wfe/job/{job_id}/retry/", {"expected_state": "FAILED"})
    assert retried["Location"] == f"/operations/django_wfe/job/{job_id}/change/"
