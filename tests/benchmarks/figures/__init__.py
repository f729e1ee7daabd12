"""The benchmarks, one to a file."""

from tests.benchmarks.figures import drain, latency, memory, poll, submit, waiting

ALL = [
    submit.BENCHMARK,
    poll.BENCHMARK,
    drain.BENCHMARK,
    drain.BENCHMARK_SLOW,
    latency.BENCHMARK,
    waiting.BENCHMARK,
    memory.BENCHMARK,
]
