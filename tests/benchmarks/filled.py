"""A table with a history: as many jobs as asked for, in the mix that months of service leave."""

import json
from typing import Any

OWNER = "local"  # of nine jobs in ten
QUEUE = "model-3"  # one of the four; it has a backlog
# New jobs are to be as large as the old ones: smaller ones would fill what is left of old pages, all over the table,
# and each statement would be measured by the pages that it has to fetch.
INPUT = json.dumps({"text": "input " * 60})
PER_INSERT = 250_000  # rows of one statement: a large one would keep its undo and its WAL all at once

# Ninety of a hundred belong to the owner whose jobs are measured. Two wait, published, over four queues, and so do the
# oldest 1,100 in one: a queue position is sought among its first thousand, which must be there at every size. Of the
# rest most have succeeded. One job every 100 ms until a minute ago: ids are UUIDv7 of their times, as real ones are.
_FILL = """
INSERT INTO jobs (id, owner, task, model, version, queue, state, input, result, error, history, attempt, charged,
  max_attempts, published_at, available_at, queue_ttl, queue_deadline, execution_timeout, created_at, started_at,
  finished_at, purge_at, revision)
SELECT
  uuidv7(at - clock_timestamp()),
  CASE WHEN n % 10 = 0 THEN 'other-' || n / 10 % 7 ELSE 'local' END,
  'inference', 'model-' || n % 4, 1, CASE WHEN n <= 1100 THEN 'model-3' ELSE 'model-' || n % 4 END, state,
  $4::json,
  CASE WHEN state = 'succeeded' THEN json_build_object('scores', ARRAY[0.1, 0.2, 0.3, 0.4], 'text', repeat('result ', 20)) END,
  CASE WHEN state IN ('failed', 'expired') THEN jsonb_build_object('code', 'model_error', 'message', 'no', 'retryable', false) END,
  '[]', CASE WHEN state = 'queued' THEN 0 ELSE 1 END, CASE WHEN state = 'failed' THEN 1 ELSE 0 END, 3,
  at, at, interval '30 days', at + interval '30 days', interval '30 minutes', at,
  CASE WHEN state IN ('succeeded', 'failed') THEN at + interval '1 second' END,
  CASE WHEN state <> 'queued' THEN at + interval '2 seconds' END,
  CASE WHEN state <> 'queued' THEN now() + interval '30 days' END,
  CASE WHEN state = 'queued' THEN 1 ELSE 4 END
FROM (
  SELECT n, now() - interval '1 minute' - ($3 - n) * interval '100 milliseconds' AS at,
    CASE WHEN n <= 1100 OR n % 50 = 7 THEN 'queued' WHEN n % 50 = 11 THEN 'failed' WHEN n % 200 = 33 THEN 'cancelled'
      WHEN n % 200 = 133 THEN 'expired' ELSE 'succeeded' END AS state
  FROM generate_series($1::bigint, $2::bigint) AS n
) AS drawn
"""


async def fill(connection: Any, rows: int) -> None:
    """An empty `jobs` becomes one of `rows` rows, vacuumed and analysed, all of it on disk."""
    for first in range(1, rows + 1, PER_INSERT):
        await connection.execute(_FILL, first, min(first + PER_INSERT - 1, rows), rows, INPUT, timeout=600)
    await connection.execute("VACUUM (ANALYZE) jobs", timeout=600)
    await connection.execute("CHECKPOINT", timeout=600)
