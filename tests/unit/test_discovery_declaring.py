"""The rule by which a module may be imported again in a running process: it only declares."""

import textwrap
from pathlib import Path

import pytest

from django_wfe.discovery.declaring import find_effect
from django_wfe.engine.project_code.source_files import Source

pytestmark = pytest.mark.unit

HEAD = """
from __future__ import annotations
import enum
import re
from abc import ABC, abstractmethod
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache, singledispatch
from typing import TYPE_CHECKING, Annotated, Generic, TypeVar
import logging
import threading
import pydantic
from django.db import models, transaction
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.utils.translation import gettext_lazy as _
from pydantic import BaseModel, Field, field_validator
from django_wfe.steps import *
from django_wfe.workflows import Workflow
from tests import workflows
from . import neighbour
"""


def find(tmp_path: Path, source: str) -> str:
    """Give what forbids to import this source again, "" for nothing."""
    file = tmp_path / "flows.py"
    file.write_text(HEAD + textwrap.dedent(source))
    effect = find_effect(Source("shop.flows", str(file)))
    if effect is None:
        return ""
    assert effect.line > HEAD.count("\n") - 1
    return effect.text


@pytest.mark.parametrize(
    "source",
    [
        "'''A docstring.'''",
        "LIMIT = Decimal('1.5') * 2; NAMES = ['a', 'b']; BY_NAME = {name: len(name) for name in NAMES}",
        "PATTERN = re.compile('a+'); T = TypeVar('T'); log = logging.getLogger(__name__)",
        "WORDS = 'a b c'.split(); TITLE = _('Order'); later = lambda: threading.Lock()",
        "def helper(day=date(2024, 1, 1)):\n    threading.Lock()\n    return day",
        "@lru_cache(maxsize=8)\ndef helper(): return threading.Lock()",
        "@transaction.atomic\ndef helper(): pass",
        "class Colour(enum.Enum):\n    RED = enum.auto()",
        "class Base(Step, ABC):\n    @abstractmethod\n    def go(self): ...\nclass Real(Base):\n    def go(self): pass",
        "class Page(BaseModel, Generic[TypeVar('T')]):\n    rows: list[int] = []\n    more: dict = {}",
        """
        class Ask(Step):
            retry = Retry(max_attempts=3)
            timeout = timedelta(minutes=1)
            label = _("Ask")
            class UserInputSchema(BaseModel):
                amount: Annotated[int, Field(gt=0)] = Field(1, title="Amount")
                @field_validator("amount")
                @classmethod
                def check(cls, value): return value
            @property
            def rate(self): return 1
            @rate.setter
            def rate(self, value): pass
            def execute(self, _input=None): return neighbour.rate()
        class Flow(Workflow):
            DIGRAPH = {__start__: [Ask]}
        """,
        "if TYPE_CHECKING:\n    from shop.models import Order\n    threading.Lock()",
        "if __name__ == '__main__':\n    threading.Lock()",
        "try:\n    import ujson as json\nexcept ImportError:\n    import json",
        "class Limits(BaseModel):\n    most: int\nLIMITS = Limits(most=5)",
        "__all__ = []",
        "class Failed(ValueError):\n    pass",
    ],
)
def test_what_only_declares(tmp_path, source):
    assert find(tmp_path, source) == ""


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("@receiver(post_save)\ndef saved(**kwargs): pass", "decorates with @receiver"),
        ("post_save.connect(print)", "has a statement that does something: post_save.connect(print)"),
        ("from prometheus_client import Counter\nSEEN = Counter('seen', 'Seen.')", "calls Counter()"),
        ("lock = threading.Lock()", "calls threading.Lock()"),
        ("HANDLERS = {}", "keeps something in HANDLERS, which begins empty"),
        ("SEEN = set()", "keeps something in SEEN"),
        ("BY_NAME = defaultdict(list)", "calls defaultdict()"),
        ("neighbour.REGISTRY['flows'] = 1", "sets neighbour.REGISTRY['flows']"),
        ("neighbour.rate = 2", "sets neighbour.rate"),
        ("@neighbour.register\nclass Ask(Step): pass", "decorates with @neighbour.register"),
        ("@neighbour.register(1)\ndef ask(): pass", "decorates with @neighbour.register"),
        ("class Order(models.Model): pass", "inherits from models.Model"),
        ("class Base:\n    def __init_subclass__(cls): pass", "defines __init_subclass__()"),
        ("class Ask(Step, metaclass=neighbour.Meta): pass", "gives Ask a metaclass"),
        ("class Ask(neighbour.make_base()): pass", "calls neighbour.make_base()"),
        ("class Ask(Step):\n    seen = []", "keeps something in seen"),
        ("class Ask(Step):\n    seen = neighbour.make()", "calls neighbour.make()"),
        ("class Ask(Step):\n    neighbour.note()", "does something: neighbour.note()"),
        ("count = 0\ndef note():\n    global count\n    count += 1", "sets count of the module from inside"),
        ("for name in (1, 2):\n    pass", "does something: for name in"),
        ("with open('x') as file:\n    pass", "does something: with open"),
        ("text = open('x').read()", "calls open('x').read()"),
        ("def note(at=neighbour.now()): pass", "calls neighbour.now()"),
        ("@singledispatch\ndef show(value): pass\n@show.register\ndef _show(value: int): pass", "@show.register"),
        ("class Noting:\n    def __init__(self): neighbour.note(self)\nONE = Noting()", "calls Noting()"),
        ("try:\n    neighbour.note()\nexcept Exception:\n    pass", "does something: neighbour.note()"),
        ("if neighbour.is_on():\n    RATE = 1", "calls neighbour.is_on()"),
        ("del LIMIT", "does something: del LIMIT"),
        ("exec('x = 1')", "does something"),
        ("value = eval('1')", "calls eval()"),
    ],
)
def test_what_has_an_effect_beyond_itself_is_told_with_its_line(tmp_path, source, told):
    assert told in find(tmp_path, source)


class NotingBase:
    def __init_subclass__(cls) -> None:
        super().__init_subclass__()


class PlainBase:
    pass


def test_a_base_of_another_module_may_not_note_its_subclasses(tmp_path):
    head = f"from {__name__} import NotingBase, PlainBase\n"
    assert "inherits from NotingBase" in find(tmp_path, f"{head}class Ask(NotingBase): pass")
    assert find(tmp_path, f"{head}class Ask(PlainBase): pass") == ""
    assert find(tmp_path, "from shop.nowhere import Base\nclass Ask(Base): pass") == ""


def test_a_file_that_cannot_be_parsed_is_left_to_whoever_imports_it(tmp_path):
    assert find(tmp_path, "def (") == ""
