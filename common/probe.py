"""A container's health check: `python -m common.probe http://127.0.0.1:8000/readyz [PUBLIC_URL]`.

Exits with 0 if the answer is 200. The second argument names a variable that holds the URL whose host is asked
for: the site answers to no other name. Standard library alone: it runs beside the gateway as well.
"""

import http.client
import os
import sys
from urllib.parse import urlsplit

SECONDS = 4.0


def answers(url: str, host: str = "") -> bool:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=SECONDS)
    try:
        connection.request("GET", parts.path, headers={"Host": host or parts.netloc})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    _, asked, *variable = sys.argv
    sys.exit(not answers(asked, urlsplit(os.environ[variable[0]]).netloc if variable else ""))
