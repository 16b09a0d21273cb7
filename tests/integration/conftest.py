"""The package as people install it."""

import pytest

from tests.distribution import Distributions, Environment, build_distributions, install_wheel


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """An sdist of this checkout and the wheel that was built from it."""
    return build_distributions(tmp_path_factory.mktemp("distributions"))


@pytest.fixture(scope="session")
def installation(distributions: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """A virtual environment with the wheel in it, and nothing of the checkout."""
    return install_wheel(distributions.wheel, tmp_path_factory.mktemp("installation") / "venv")
