"""The benchmarks, one to a file."""

from tests.benchmarks.figures import drain, growth, latency, memory, poll, submit, waiting

ALL = [
    submit.BENCHMARK,
    poll.BENCHMARK,
    drain.BENCHMARK,
    drain.BENCHMARK_SLOW,
    latency.BENCHMARK,
    growth.BENCHMARK,
    waiting.BENCHMARK,
    memory.BENCHMARK,
]
