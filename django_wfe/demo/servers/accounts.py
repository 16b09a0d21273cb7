"""Who the embedded servers run as, and where their files can be so that this account reaches them.

PostgreSQL refuses to run as root. Where we are root, the servers run as ``nobody``, who cannot enter folders like
``/root``: their data then goes to a folder elsewhere (a link beside the data's usual place says where), and binaries
that ``nobody`` cannot read are copied beside the data.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# sockaddr_un.sun_path holds 108 bytes, one of them the ending NUL.
MAX_SOCKET_PATH_BYTES = 107
FOLDER_PREFIX = "wfe-"


@dataclass(frozen=True)
class Account:
    """A user that a child process runs as."""

    name: str
    user_id: int
    group_id: int

    @classmethod
    def choose(cls) -> "Account | None":
        """``nobody`` where we are root, else ``None``: stay who we are.

        Raises ``RuntimeError`` where we are root and there is no ``nobody``.
        """
        if os.geteuid() != 0:
            return None
        try:
            entry = pwd.getpwnam("nobody")
        except KeyError:
            raise RuntimeError(
                "PostgreSQL refuses to run as root, and this machine has no user 'nobody' to run it as. "
                "Add that user or start the command as an ordinary user."
            ) from None
        return cls(name=entry.pw_name, user_id=entry.pw_uid, group_id=entry.pw_gid)


def can_enter(account: Account | None, folder: Path) -> bool:
    """Return whether the account can enter and read ``folder``, which must exist."""
    return _try_as(account, 'test -r "$1/." && test -x "$1/."', folder)


def can_pass_through(account: Account | None, folder: Path) -> bool:
    """Return whether the account can reach what is in ``folder``, whether or not it may list it."""
    return _try_as(account, 'test -x "$1/."', folder)


def can_execute(account: Account | None, program: Path) -> bool:
    """Return whether the account can run ``program``."""
    return _try_as(account, 'test -r "$1" && test -x "$1"', program)


def give_to(account: Account | None, path: Path) -> None:
    """Make the account the owner of ``path``; nothing to do where it is us."""
    if account is not None:
        os.chown(path, account.user_id, account.group_id)


def prepare_home(directory: Path, account: Account | None) -> Path:
    """Return the folder for a server's files: ``directory``, or one elsewhere where the account cannot reach that.

    The folder elsewhere is remembered by the link ``directory/elsewhere``, so every start finds the same data. It is
    private to the account.
    """
    directory.mkdir(parents=True, exist_ok=True)
    link = directory / "elsewhere"
    if link.is_symlink():
        if link.exists():
            return link.resolve()
        link.unlink()
    if can_pass_through(account, directory.resolve().parent):
        if not can_enter(account, directory):
            give_to(account, directory)
        return directory.resolve()
    home = make_private_folder([Path("/var/tmp"), Path(tempfile.gettempdir())], account)  # noqa: S108 - mkdtemp
    link.symlink_to(home)
    return home


def make_socket_folder(directory: Path, account: Account | None, socket_name: str) -> Path:
    """Make a private folder whose path is short enough for the socket ``socket_name`` in it.

    The link ``directory/socket`` leads to it; the folder of a start that could not clean up is removed.
    Raises ``RuntimeError`` where every place for temporary files has too long a path.
    """
    remove_socket_folder(directory)
    folder = make_private_folder(
        [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")],  # noqa: S108 - mkdtemp
        account,
        longest=MAX_SOCKET_PATH_BYTES - len(os.fsencode(f"/{socket_name}")),
    )
    (directory / "socket").symlink_to(folder)
    return folder


def remove_socket_folder(directory: Path) -> None:
    """Remove the link ``directory/socket`` and the folder it leads to, if that is one that we made."""
    link = directory / "socket"
    if not link.is_symlink():
        return
    folder = link.readlink()
    if folder.name.startswith(FOLDER_PREFIX) and folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder, ignore_errors=True)
    link.unlink()


def make_private_folder(candidates: Iterable[Path], account: Account | None, *, longest: int = 4096) -> Path:
    """Make a folder of mode 0700, owned by the account, in the first of ``candidates`` that serves.

    ``longest`` is the greatest length of its path in bytes. Raises ``RuntimeError`` where none serves.
    """
    refused: list[str] = []
    for candidate in candidates:
        if not candidate.is_dir() or not os.access(candidate, os.W_OK) or not can_pass_through(account, candidate):
            refused.append(f"{candidate} cannot be used")
            continue
        folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=candidate)).absolute()
        if len(os.fsencode(folder)) > longest:
            folder.rmdir()
            refused.append(f"{candidate} has too long a path for a socket")
            continue
        give_to(account, folder)
        return folder
    raise RuntimeError(f"No place for a server's private folder: {'; '.join(refused)}. Set TMPDIR to another folder.")


def place_binaries(sources: list[Path], program: Path, home: Path, version: str, account: Account | None) -> Path:
    """Return where the account can run ``program``: where it is, or in a copy of ``sources`` beside the data.

    ``sources`` are folders next to one another, ``program`` lies in one of them. A copy is made once for each
    ``version`` of the package, complete or not at all.
    """
    if can_execute(account, program):
        return program
    root = sources[0].parent
    copy = home / f"binaries-{version}"
    if not copy.exists():
        unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=home))
        unfinished.chmod(0o755)
        for source in sources:
            if source.exists():
                # Headers and static libraries are for compilers.
                shutil.copytree(
                    source, unfinished / source.name, ignore=shutil.ignore_patterns("include", "*.a", "*.pyc")
                )
        unfinished.replace(copy)
    return copy / program.relative_to(root)


def _try_as(account: Account | None, test: str, path: Path) -> bool:
    command = ["/bin/sh", "-c", test, "sh", str(path)]
    if account is None:
        return subprocess.run(command, check=False).returncode == 0  # noqa: S603 - fixed program, path as argument
    return (
        subprocess.run(  # noqa: S603 - as above
            command, check=False, cwd="/", user=account.user_id, group=account.group_id, extra_groups=[]
        ).returncode
        == 0
    )
