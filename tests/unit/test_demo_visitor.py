"""The demo's visitor behaves as a browser, and complains where a person could not go on."""

import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.support.demo import visitor
from tests.support.demo.browser import Browser, UnexpectedPage

pytestmark = pytest.mark.unit

STRICT = "default-src 'self'"


class Site(BaseHTTPRequestHandler):
    """A site whose pages are chosen by the test; it keeps what was posted."""

    pages: dict[str, tuple[int, str]] = {}
    policy: str | None = STRICT
    posted: list[tuple[str, bytes]] = []
    cookies: list[str | None] = []

    def do_GET(self) -> None:
        type(self).cookies.append(self.headers["Cookie"])
        self.answer(*self.pages.get(self.path, (404, "no such page")))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).posted.append((self.headers["Content-Type"], body))
        self.send_response(HTTPStatus.FOUND)
        self.send_header("Location", "/after/")
        self.send_header("Set-Cookie", "session=abc; Path=/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer(self, status: int, html: str) -> None:
        content = html.encode()
        self.send_response(status)
        if self.policy is not None:
            self.send_header("Content-Security-Policy", self.policy)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing on the terminal."""


@pytest.fixture
def site() -> type[Site]:
    """The site, without any page."""

    class FreshSite(Site):
        pages: dict[str, tuple[int, str]] = {"/after/": (200, "<p>thank you</p>")}
        posted: list[tuple[str, bytes]] = []
        cookies: list[str | None] = []

    return FreshSite


@pytest.fixture
def browser(site: type[Site]) -> Iterator[Browser]:
    """A browser on the running site."""
    with ThreadingHTTPServer(("127.0.0.1", 0), site) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Browser(f"http://127.0.0.1:{server.server_address[1]}/")
        server.shutdown()
        thread.join()


def test_a_form_is_posted_and_the_redirect_followed_with_its_cookie(browser: Browser, site: type[Site]) -> None:
    site.pages["/"] = (200, '<form method="post"><input name="a" value="x y"><input name="b" value="é"></form>')
    page = browser.submit(browser.get("/").forms[0])
    assert page.text == "thank you"
    assert site.posted == [("application/x-www-form-urlencoded", b"a=x+y&b=%C3%A9")]
    assert site.cookies[-1] == "session=abc"


def test_a_file_is_posted_in_parts(browser: Browser, site: type[Site]) -> None:
    site.pages["/"] = (
        200,
        '<form method="post" enctype="multipart/form-data"><input name="a" value="1"><input type="file" name="f">',
    )
    form = browser.get("/").forms[0]
    form.attach("f", 'my "own".csv', b"1;2\r\n")
    browser.submit(form)
    [(kind, body)] = site.posted
    boundary = kind.partition("boundary=")[2].encode()
    parts = body.split(b"--" + boundary)
    assert parts[1] == b'\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    assert b'name="f"; filename="my %22own%22.csv"' in parts[2]
    assert parts[2].endswith(b"\r\n\r\n1;2\r\n\r\n")
    assert parts[3] == b"--\r\n"


def test_a_get_form_puts_its_values_into_the_address(browser: Browser, site: type[Site]) -> None:
    site.pages["/"] = (200, '<form action="/find/?old=1"><input name="q" value="a b"></form>')
    site.pages["/find/?q=a+b"] = (200, "<p>found</p>")
    assert browser.submit(browser.get("/").forms[0]).text == "found"


def test_an_answer_with_another_status_is_told_with_its_text(browser: Browser, site: type[Site]) -> None:
    site.pages["/broken/"] = (500, "<h1>Server Error</h1>")
    with pytest.raises(UnexpectedPage, match=r"GET .*/broken/ answered 500, not 200: Server Error"):
        browser.get("/broken/")
    assert browser.get("/broken/", status=HTTPStatus.INTERNAL_SERVER_ERROR).text == "Server Error"


@pytest.mark.parametrize("policy", [None, "default-src *"])
def test_a_page_without_the_strict_policy_is_refused(browser: Browser, site: type[Site], policy: str | None) -> None:
    site.pages["/"] = (200, "<p>x</p>")
    site.policy = policy
    with pytest.raises(UnexpectedPage, match="without the strict Content Security Policy"):
        browser.get("/")


def test_a_page_that_relies_on_what_the_policy_forbids_is_refused(browser: Browser, site: type[Site]) -> None:
    site.pages["/"] = (200, "<p style='color: red'>x</p>")
    with pytest.raises(UnexpectedPage, match="breaks the Content Security Policy: style attribute on p"):
        browser.get("/")


def test_a_page_that_needs_what_is_not_there_is_refused(browser: Browser, site: type[Site]) -> None:
    site.pages["/"] = (200, "<link rel='stylesheet' href='/static/missing.css'>")
    with pytest.raises(UnexpectedPage, match=r"needs http://.*/static/missing\.css, which answers 404"):
        browser.get("/")


def test_the_check_of_a_demo_that_is_not_there_fails_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["check", "http://127.0.0.1:1/"])
    assert visitor.main() == 1
    output = capsys.readouterr().out
    assert output.startswith("FAILED at the sign-in: ")
    assert "refused" in output
