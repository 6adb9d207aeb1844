"""The site's own files: packed for clients that take that, kept for ever under the address of their bytes."""

from __future__ import annotations

import gzip
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import patch_vary_headers
from whitenoise.middleware import WhiteNoiseMiddleware

from common.templatetags._assets import digest_of

_PACKED: Final = ("text/css", "text/javascript", "image/svg+xml")


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


def _packed(answer: HttpResponseBase, path: str) -> HttpResponse:
    """Other bytes than those the ETag is of; when the file was changed still tells whether it was."""
    answer.close()
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
    """Whoever says how much it likes each is given the file as it is."""
    offered = request.headers.get("Accept-Encoding", "").split(",")
    return "gzip" in [each.strip() for each in offered]
