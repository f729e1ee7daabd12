"""What this process has done since it started: plain numbers, so that counting costs next to nothing."""

from dataclasses import dataclass


@dataclass(slots=True)
class Counts:
    """One for all parts of a process. What each number is of, is what /metrics says of it (api_service/metrics.py)."""

    submitted: int = 0
    status_hits: int = 0
    status_misses: int = 0
    published: int = 0
    publish_failures: int = 0
    requeued: int = 0
    expired: int = 0
    republished: int = 0
    purged_results: int = 0
    purged_rows: int = 0
    purged_uploads: int = 0
    removed_orphans: int = 0
