"""Projects that are set up in other ways than most, each run from ``migrate`` to a finished job and every page.

Each folder is a project of its own: add one, and ``tests/integration/test_projects.py`` runs it. It holds

``settings.py``
    Begins with ``from tests.projects.base import *`` and says what is different.
``__init__.py``
    A docstring that says what the project shows; ``OPTIONS``, if it wants more than one empty database, or something
    that runs beside it (see ``tests.projects.options``).
``models.py``, ``urls.py``, ``workflows.py``, ``routers.py``, ``migrations`` ...
    What the settings name. By default the URLs and the workflow are those of this folder.

``tests.projects.running`` starts the project's processes, ``tests.projects.inside`` is what runs in them, and
``tests.projects.story`` is what is done to each project.
"""
