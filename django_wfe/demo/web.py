"""The demo's web server: ``python -m django_wfe.demo.web FILE_DESCRIPTOR`` serves on a socket that is bound already."""

import socket
import sys

import waitress
from django.core.wsgi import get_wsgi_application

THREADS = 8


def main() -> None:
    """Serve until the process is told to stop."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    waitress.serve(  # type: ignore[no-untyped-call]
        get_wsgi_application(),
        sockets=[listener],
        threads=THREADS,
        ident="django-wfe demo",
        clear_untrusted_proxy_headers=True,
    )


if __name__ == "__main__":
    main()
