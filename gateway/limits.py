"""Every bound of the data plane on one screen: sizes, times and rates."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    # From clients
    body_bytes: int = 1_048_576
    head_bytes: int = 32_768
    head_seconds: float = 10.0
    body_bytes_per_second: int = 1_024
    body_grace_seconds: float = 5.0
    idle_seconds: float = 75.0
    linger_seconds: float = 2.0
    connections: int = 8_192
    requests_per_grant: int = 256
    """Open at one time on one worker, streams included."""
    stalled_seconds: float = 45.0
    """How long a client may leave what we wrote unread."""
    write_high_bytes: int = 262_144

    # To servers
    connect_seconds: float = 10.0
    resolve_seconds: float = 5.0
    handshake_seconds: float = 5.0
    answer_seconds: float = 300.0
    """Until the first byte of an answer: a tool may work for a while before it says anything."""
    answer_grace_seconds: float = 30.0
    answer_bytes_per_second: int = 1_024
    stream_idle_seconds: float = 900.0
    orphan_seconds: float = 50.0
    """How long an answer is still read, to be recorded, once its client is gone without cancelling."""
    answer_bytes: int = 67_108_864
    answer_head_bytes: int = 65_536
    list_bytes: int = 2_097_152
    """A message that names tools is parsed as a whole, and nobody else is served meanwhile."""
    held_bytes: int = 67_108_864
    """Per organization and worker: bodies, and what has arrived of answers and is not passed on yet."""
    collected_bytes: int = 65_536
    """A JSON answer known to be no longer than this is checked as a whole before any of it is passed on."""
    connections_per_server: int = 256
    waiting_per_server: int = 1_024
    waiting_seconds: float = 10.0
    kept_seconds: float = 4.0
    """Below the five seconds after which common servers close: a call must not meet a closing connection."""
    read_high_bytes: int = 262_144

    # Of ours
    tick_seconds: float = 0.25
    drain_seconds: float = 25.0
