"""The command line of the demo."""

from pathlib import Path

import pytest

from django_wfe.demo.arguments import parse_arguments

pytestmark = pytest.mark.unit


def test_without_arguments_the_demo_runs_in_dot_demo_on_port_8000(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORT", raising=False)
    arguments = parse_arguments([])
    assert (arguments.command, arguments.directory, arguments.port) == ("run", Path(".demo"), 8000)
    assert not arguments.stop_with_parent


def test_the_variable_port_names_the_port_unless_the_option_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "8123")
    assert parse_arguments([]).port == 8123
    assert parse_arguments(["--port", "9000"]).port == 9000


@pytest.mark.parametrize("port", ["http", "-1", "65536", "80.5"])
def test_a_port_that_is_none_is_refused_with_its_name(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments([f"--port={port}"])
    assert f"{port!r} is not a port" in capsys.readouterr().err


def test_a_variable_port_that_is_none_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "eight")
    with pytest.raises(SystemExit):
        parse_arguments([])
    assert "variable PORT: 'eight' is not a port" in capsys.readouterr().err
