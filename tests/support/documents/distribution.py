"""The package as people get it: built from a copy of the checkout, and installed into an environment of its own."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TIMEOUT = 120.0  # seconds for one command, on a busy machine


@dataclass(frozen=True, slots=True)
class Distributions:
    """An sdist, and the wheel that was built from it."""

    sdist: Path
    wheel: Path

    def list_wheel(self) -> set[str]:
        """Give the paths of the files in the wheel."""
        with zipfile.ZipFile(self.wheel) as archive:
            return set(archive.namelist())

    def list_sdist(self) -> set[str]:
        """Give the paths of the files in the sdist, below its top folder."""
        with tarfile.open(self.sdist) as archive:
            return {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment into which only our wheel was installed; what that depends on comes from this process's."""

    directory: Path

    @property
    def programs(self) -> Path:
        """The folder of its ``python``."""
        return self.directory / "bin"

    def make_variables(self, **more: str) -> dict[str, str]:
        """Give the environment variables of a shell in which it is activated, away from the checkout."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "PYTHON", "WFE_"))}
        path = os.pathsep.join([str(self.programs), kept.get("PATH", os.defpath)])
        return {**kept, "PATH": path, "VIRTUAL_ENV": str(self.directory), **more}

    def run(
        self, *arguments: str, directory: Path, variables: Mapping[str, str] | None = None, text: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run its Python in ``directory`` with ``text`` as its input; where it fails, say what it said."""
        result = subprocess.run(
            [str(self.programs / "python"), "-W", "error", *arguments],
            cwd=directory,
            env=self.make_variables(**(variables or {})),
            input=text,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert result.returncode == 0, f"python {' '.join(arguments)}:\n{result.stdout}\n{result.stderr}"
        return result


def build_distributions(directory: Path) -> Distributions:
    """Build both below ``directory``. The checkout itself is left as it is."""
    source, built = directory / "source", directory / "dist"
    # Hidden folders hold environments and caches; an old .egg-info would name files that are gone.
    ignored = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "build", "dist", "tests")
    shutil.copytree(ROOT, source, symlinks=True, ignore=ignored)
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(built), str(source))
    (sdist,) = built.glob("*.tar.gz")
    (wheel,) = built.glob("*.whl")
    return Distributions(sdist, wheel)


def install_wheel(wheel: Path, directory: Path) -> Environment:
    """Make an environment at ``directory`` and install ``wheel`` into it, from no index."""
    venv.create(directory, with_pip=False, symlinks=True)
    environment = Environment(directory)
    python = str(environment.programs / "python")
    _run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", str(wheel))
    site_packages = _run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    # A .pth file only adds the folder: that of an editable install in there is not followed to the checkout.
    (Path(site_packages) / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    for name in ("dramatiq", "django-admin"):
        _add_script(environment, name)
    return environment


def _add_script(environment: Environment, name: str) -> None:
    """Add the command of a dependency: that of this process's environment would run in there, with the checkout."""
    (entry_point,) = entry_points(group="console_scripts", name=name)
    script = environment.programs / name
    call = f"import sys\nfrom {entry_point.module} import {entry_point.attr}\nsys.exit({entry_point.attr}())\n"
    script.write_text(f"#!{environment.programs / 'python'}\n{call}")
    script.chmod(0o755)


def _run(*command: str) -> str:
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert result.returncode == 0, f"{' '.join(command)}:\n{result.stdout}\n{result.stderr}"
    return result.stdout
