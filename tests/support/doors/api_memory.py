"""Sends large and hostile bodies to each call of the REST API, in a process of its own, and prints what each takes.

Run by a test: ``python -m tests.support.doors.api_memory '{"paths": [...], "size": 2621440}'`` prints
``{name: MiB above the base}``.
"""

import gc
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django

BOUNDARY = "multipart/form-data; boundary=x"
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

Body = tuple[str, Callable[[int], bytes]]

BODIES: dict[str, Body] = {
    "empty lists": (JSON, lambda size: b"[" + b"[]," * (size // 3) + b"[]]"),
    "empty objects": (JSON, lambda size: b'{"rows":[' + b"{}," * (size // 3) + b"{}]}"),
    "objects of one key": (JSON, lambda size: b'{"anything":[' + b'{"a":1},' * (size // 8) + b"1]}"),
    "numbers": (JSON, lambda size: b'{"jobs":[' + b"1.5," * (size // 4) + b"1]}"),
    "texts": (JSON, lambda size: b'{"jobs":[' + b'"xx",' * (size // 5) + b"1]}"),
    "keys": (JSON, lambda size: b"{" + b",".join(b'"%d":1' % n for n in range(size // 11)) + b"}"),
    "depth": (JSON, lambda size: b"[" * size),
    "one text": (JSON, lambda size: b'{"reason":"' + rb"\u00e9" * (size // 6) + b'"}'),
    "one wide text": (JSON, lambda size: b'{"reason":"' + "\N{PILE OF POO}".encode() * (size // 4) + b'"}'),
    "escapes": (JSON, lambda size: b'{"name":"' + rb"\"" * (size // 2) + b'"}'),
    "a text without an end": (JSON, lambda size: b'{"name":"' + rb"\"" * (size // 2)),
    "one number": (JSON, lambda size: b'{"number":' + b"9" * size + b"}"),
    "as many values as may be": (JSON, lambda size: b'{"rows":[' + b"{}," * 24_000 + b'{}],"anything":1}'),
    "form": (FORM, lambda size: b"&".join(b"a%d=1" % n for n in range(size // 10))),
    "JSON in a form": (FORM, lambda size: b"result=[" + b"{}," * (size // 3) + b"1]"),
    "parts": (BOUNDARY, lambda size: b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * (size // 53)),
    "a file": (
        BOUNDARY,
        lambda size: b'--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\n' + b"1" * (size - 99),
    ),
}


def main(asked: Any) -> dict[str, float]:
    """Send everything, and return the peak of each."""
    django.setup()
    from django.contrib.auth.models import User
    from django.test import Client

    client = Client()
    client.force_login(User.objects.get(username=asked["user"]))
    for path in asked["paths"]:  # what is loaded once is no matter of the body
        send(client, path, JSON, b"{")
    base, peaks = read_memory("VmRSS"), {}
    for name, (content_type, write) in BODIES.items():
        body = write(asked["size"])
        for path in asked["paths"]:
            gc.collect()
            Path("/proc/self/clear_refs").write_text("5")  # begin with a new peak
            status = send(client, path, content_type, body)
            assert status < 500, (name, path, status)
            peaks[f"{name}, {path}, {status}"] = round(read_memory("VmHWM") - base - len(body) / 2**20, 1)
    return peaks


def send(client: Any, path: str, content_type: str, body: bytes) -> int:
    """Send a body as a server does, which has no more of it in memory than is read."""
    environment = {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": content_type}
    response = client.post(path, **environment)
    return int(response.status_code)


def read_memory(name: str) -> float:
    """Return a figure of this process's memory, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
