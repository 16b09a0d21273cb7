"""A PgBouncer of the test's own, in transaction mode: each transaction gets whichever session is free."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from django.conf import settings

from django_wfe.demo.servers.accounts import Account, give_to, make_private_folder
from tests.support.running.servers import answers, are_brokers_required
from tests.support.running.waiting import wait_until

SESSIONS = 3
"""How many sessions the pool holds: fewer than the processes of a small project have connections."""

_CONFIGURATION = """
[databases]
* = {server}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {sessions}
max_client_conn = 200
logfile = {folder}/log
pidfile = {folder}/pid
"""


@contextmanager
def pgbouncer_running() -> Iterator[int]:
    """Run a PgBouncer before the tests' server and give its port. Skips where none is installed, fails in CI."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        if are_brokers_required():
            pytest.fail("pgbouncer is not installed, and CI=true or WFE_REQUIRE_BROKERS=1 asks for it")
        pytest.skip("pgbouncer is not installed (on Debian and Ubuntu: apt install pgbouncer)")
    account = Account.choose()  # PgBouncer refuses to run as root
    folder = make_private_folder([Path("/tmp"), Path("/var/tmp")], account)
    server = settings.DATABASES["default"]
    values = {name.lower(): server[name] for name in ("HOST", "PORT", "USER", "PASSWORD")}
    port = _find_free_port()
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(
        _CONFIGURATION.format(
            server=" ".join(f"{name}='{value}'" for name, value in values.items() if value),
            listen_port=port,
            sessions=SESSIONS,
            folder=folder,
        )
    )
    give_to(account, configuration)
    identity = {} if account is None else {"user": account.user_id, "group": account.group_id, "extra_groups": []}
    process = subprocess.Popen(
        [program, "-q", str(configuration)],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **identity,
    )
    try:
        wait_until(
            lambda: answers("127.0.0.1", port) or process.poll() is not None,
            timeout=20,
            message="pgbouncer does not answer",
        )
        assert process.poll() is None, _read_log(folder)
        yield port
        assert process.poll() is None, _read_log(folder)
    finally:
        process.terminate()
        process.wait(timeout=20)
        shutil.rmtree(folder)


def _read_log(folder: Path) -> str:
    log = folder / "log"
    return log.read_text(errors="replace") if log.exists() else "pgbouncer ended without a word"


def _find_free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
        return port
