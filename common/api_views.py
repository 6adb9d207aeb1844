"""What every view of the API does before its own work."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.views import APIView


class ApiView(APIView):
    # The methods a view can have, and HEAD with GET. Not OPTIONS: nothing tells browsers which other
    # sites may call, and everything there is to say about a path is in the schema.
    http_method_names = ["get", "post", "put", "patch", "delete", "head"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # First: a refused request is counted like any other, and told how many are left.
        self.check_throttles(request)
        request.version = request.versioning_scheme = None
        self.format_kwarg = None
        chosen = self.perform_content_negotiation(request)
        request.accepted_renderer, request.accepted_media_type = chosen
        self.perform_authentication(request)
        self.check_permissions(request)
