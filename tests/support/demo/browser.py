"""A visitor that uses the demo through HTTP alone, as a browser would: with cookies, forms and redirects."""

import re
import secrets
import urllib.error
import urllib.request
from http import HTTPStatus
from http.cookiejar import CookieJar
from urllib.parse import urlencode, urljoin

from tests.support.demo.page_forms import Button, Form, Upload
from tests.support.demo.pages import Page

REQUEST_TIMEOUT = 30.0  # seconds


class UnexpectedPage(Exception):
    """The demo answered with something that a person could not go on with."""


class Browser:
    """One person's browser on the site at ``base``.

    Every page has to come with the strict Content Security Policy and hold nothing that it forbids, and what the page
    needs (scripts, styles, pictures) has to be there: ``UnexpectedPage`` otherwise.
    """

    def __init__(self, base: str) -> None:
        self.base = base
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self._seen_resources: set[str] = set()

    def get(self, address: str, *, status: int = HTTPStatus.OK) -> Page:
        """Open an address, absolute or on this site. Raises ``UnexpectedPage`` where the answer is not ``status``."""
        return self._load(urllib.request.Request(urljoin(self.base, address)), status)

    def get_text(self, address: str) -> str:
        """Fetch something that is not a page, such as a log or an export."""
        with self._opener.open(urljoin(self.base, address), timeout=REQUEST_TIMEOUT) as response:
            return str(response.read().decode("utf-8"))

    def submit(self, form: Form, button: str | Button | None = None, *, status: int = HTTPStatus.OK) -> Page:
        """Send a form, as if ``button`` was pressed, and follow to the page that comes of it."""
        pairs = form.list_pairs(button)
        if form.method == "get":
            query = urlencode([(name, value) for name, value in pairs if isinstance(value, str)])
            return self.get(f"{form.action.partition('?')[0]}?{query}", status=status)
        if form.enctype == "multipart/form-data":
            body, content_type = _encode_multipart(pairs)
        else:
            texts = [(name, value if isinstance(value, str) else value[0]) for name, value in pairs]
            body, content_type = urlencode(texts).encode(), form.enctype
        request = urllib.request.Request(form.action, data=body, headers={"Content-Type": content_type}, method="POST")
        return self._load(request, status)

    def sign_in(self, name: str, password: str) -> Page:
        """Sign in at the admin. Raises ``UnexpectedPage`` where it is refused."""
        form = self.get("/admin/login/?next=/admin/").find_form("username", "password")
        form.fill("username", name)
        form.fill("password", password)
        page = self.submit(form)
        if page.address.partition("?")[0].endswith("/login/"):
            raise UnexpectedPage(f"{name} could not sign in: {page.text[:500]}")
        return page

    def _load(self, request: urllib.request.Request, status: int) -> Page:
        try:
            response = self._opener.open(request, timeout=REQUEST_TIMEOUT)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            page = Page(response.url, response.status, response.read().decode("utf-8", "replace"))
            policy = response.headers.get("Content-Security-Policy")
        what = f"{request.get_method()} {request.full_url}"
        if page.status != status:
            raise UnexpectedPage(f"{what} answered {page.status}, not {int(status)}: {page.text[:1000]}")
        if policy != "default-src 'self'":
            raise UnexpectedPage(f"{what} came without the strict Content Security Policy, but with {policy!r}.")
        if page.violations:
            raise UnexpectedPage(f"{what} breaks the Content Security Policy: {'; '.join(page.violations)}.")
        for resource in page.resources:
            self._fetch_resource(resource, page)
        return page

    def _fetch_resource(self, address: str, page: Page) -> None:
        if address in self._seen_resources:
            return
        self._seen_resources.add(address)
        try:
            with self._opener.open(address, timeout=REQUEST_TIMEOUT) as response:
                response.read()
        except urllib.error.HTTPError as error:
            raise UnexpectedPage(f"{page.address} needs {address}, which answers {error.code}.") from error


def _encode_multipart(pairs: list[tuple[str, str | Upload]]) -> tuple[bytes, str]:
    boundary = secrets.token_hex(16)
    lines: list[bytes] = []
    for name, value in pairs:
        disposition = f'form-data; name="{_quote(name)}"'
        if isinstance(value, str):
            lines += [f"--{boundary}\r\nContent-Disposition: {disposition}\r\n".encode(), value.encode()]
        else:
            file_name, content = value
            disposition += f'; filename="{_quote(file_name)}"'
            kind = "Content-Type: application/octet-stream"
            lines += [f"--{boundary}\r\nContent-Disposition: {disposition}\r\n{kind}\r\n".encode(), content]
    return b"\r\n".join([*lines, f"--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"


def _quote(text: str) -> str:
    return re.sub(r'["\r\n]', lambda match: f"%{ord(match[0]):02X}", text)
