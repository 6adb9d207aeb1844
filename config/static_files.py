"""Serves the site's own files: compressed for clients that accept it, cached for ever under their digest.

WhiteNoise could do both itself, but only in a folder collected and written before the site starts. Here files
are served from where they are, in a checkout as well as in an image.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import patch_vary_headers
from whitenoise.middleware import WhiteNoiseMiddleware

_PACKED: Final = ("text/css", "text/javascript", "image/svg+xml")


class AddressedByTheirBytes(StaticFilesStorage):
    """Makes every address change with its file, so that an old copy is never used with a new page."""

    def url(self, name: str | None, force: bool = False) -> str:
        plain = super().url(name)
        found = finders.find(name) if name else None
        return f"{plain}?v={digest_of(found)}" if isinstance(found, str) else plain


@cache
def digest_of(path: str) -> str:
    """Return the digest, cached: the program's own files do not change while it runs."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:10]


class StaticFilesMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]  # it comes without types
    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponseBase:
        answer: HttpResponseBase = WhiteNoiseMiddleware.serve(static_file, request)
        if answer.status_code != 200:
            return answer
        path = static_file.alternatives[-1][1]
        if request.GET.get("v") == digest_of(path):
            answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        if answer.headers.get("Content-Type", "").partition(";")[0] in _PACKED:
            patch_vary_headers(answer, ["Accept-Encoding"])
            if request.method == "GET" and _takes_gzip(request):
                return _packed(answer, path)
        return answer


def _packed(answer: Any, path: str) -> HttpResponse:
    """Compress the response. The ETag is of the uncompressed bytes, so it goes; Last-Modified still works."""
    answer.file_to_stream.close()  # closing the response itself would signal that the request is over
    packed = HttpResponse(_gzipped(path))
    packed.headers = answer.headers
    del packed.headers["ETag"]
    packed.headers["Content-Encoding"] = "gzip"
    packed.headers["Content-Length"] = str(len(packed.content))
    return packed


@lru_cache(maxsize=32)
def _gzipped(path: str) -> bytes:
    return gzip.compress(Path(path).read_bytes(), mtime=0)


def _takes_gzip(request: HttpRequest) -> bool:
    """Return whether gzip is accepted. Clients that send quality values get the file uncompressed."""
    offered = request.headers.get("Accept-Encoding", "").split(",")
    return "gzip" in [each.strip() for each in offered]
