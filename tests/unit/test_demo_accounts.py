"""Where the embedded servers put their files."""

import os
import pwd
from pathlib import Path

import pytest

from django_wfe.demo.servers import accounts
from django_wfe.demo.servers.accounts import (
    Account,
    make_private_folder,
    make_socket_folder,
    prepare_home,
    remove_socket_folder,
)

pytestmark = pytest.mark.unit

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as somebody else")


def test_an_ordinary_user_runs_servers_as_himself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert Account.choose() is None


def test_root_runs_servers_as_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    account = Account.choose()
    assert account is not None
    assert account.name == "nobody"
    assert account.user_id != 0


def test_a_machine_without_nobody_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_nobody(_name: str) -> None:
        raise KeyError

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwnam", find_nobody)
    with pytest.raises(RuntimeError, match=r"no user 'nobody'.*ordinary user"):
        Account.choose()


def test_a_folder_for_sockets_is_private_short_and_linked(tmp_path: Path) -> None:
    folder = make_socket_folder(tmp_path, None, "server.sock")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert len(os.fsencode(folder / "server.sock")) <= 107
    assert (tmp_path / "socket").readlink() == folder
    remove_socket_folder(tmp_path)
    assert not folder.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_long_path_for_temporary_files_is_passed_over(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    folder = make_private_folder([deep, Path("/tmp")], None, longest=60)
    assert folder.parent == Path("/tmp")
    folder.rmdir()
    assert list(deep.iterdir()) == []


def test_without_any_usable_place_the_reasons_and_the_cure_are_told(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"missing cannot be used.*too long a path.*Set TMPDIR"):
        make_private_folder([tmp_path / "missing", tmp_path], None, longest=5)


def test_the_socket_folder_of_a_killed_start_is_removed_by_the_next(tmp_path: Path) -> None:
    left_behind = make_socket_folder(tmp_path, None, "server.sock")
    (left_behind / "server.sock").touch()
    folder = make_socket_folder(tmp_path, None, "server.sock")
    assert not left_behind.exists()
    remove_socket_folder(tmp_path)
    assert not folder.exists()


def test_a_link_to_a_folder_that_is_not_ours_harms_nothing_there(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (tmp_path / "socket").symlink_to(precious)
    remove_socket_folder(tmp_path)
    assert precious.is_dir()
    assert not (tmp_path / "socket").exists()


def test_data_stays_in_its_folder_where_the_account_reaches_it(tmp_path: Path) -> None:
    assert prepare_home(tmp_path / "server", None) == (tmp_path / "server").resolve()


@as_root
def test_data_that_nobody_could_not_reach_goes_elsewhere_and_is_found_again(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    account = Account.choose()
    assert account is not None
    home = prepare_home(private / "server", account)
    try:
        assert home.owner() == "nobody"
        assert home.stat().st_mode & 0o777 == 0o700
        assert accounts.can_enter(account, home)
        assert prepare_home(private / "server", account) == home
    finally:
        home.rmdir()
