"""The benchmarks, one to a file."""

from tests.benchmarks.figures import drain, poll, submit

ALL = [submit.BENCHMARK, poll.BENCHMARK, drain.BENCHMARK, drain.BENCHMARK_SLOW]
