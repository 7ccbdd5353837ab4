"""What the peers share: cases come as JSON lines on standard input, and for each an outcome goes out as one line (cases/case.ts)."""

import gc
import json
import sys
import time


class Unsupported(Exception):
    """The library has no such thing."""


def measure(case, run, warm, count, per):
    """Microseconds per step, a number per sample: run(count) makes `per` of them."""
    run(warm)
    samples = []
    for _ in range(case["samples"]):
        start = time.perf_counter()
        run(count)
        samples.append((time.perf_counter() - start) * 1e6 / per)
    return samples


def measure_calls(case, run, warm=None):
    return measure(case, run, warm or -(-case["calls"] // 4), case["calls"], case["calls"])


def measure_epochs(case, run, warm=1):
    return measure(case, run, warm, case["epochs"], case["epochs"] * case["batches"])


def fastest(ways, seconds=0.3):
    """Of functions that make a step each, by name: the name of the fastest that works, and the step."""
    best = None
    for name, make in ways.items():
        try:
            step = make()
            for _ in range(3):
                step()
            count, start = 0, time.perf_counter()
            while time.perf_counter() - start < seconds:
                step()
                count += 1
            time_each = (time.perf_counter() - start) / count
        except Exception as error:  # whatever a compiler throws
            print(f"{name}: {error}", file=sys.stderr)
            continue
        if best is None or time_each < best[0]:
            best = (time_each, name, step)
    if best is None:
        raise Unsupported("no way works")
    return best[1], best[2]


def serve(versions, kinds):
    """kinds: by kind of case, a function of the case that gives samples, or samples and the way that was chosen."""
    out, sys.stdout = sys.stdout, sys.stderr  # libraries print
    before = 0.0
    versions = {**versions, "python": sys.version.split()[0]}
    for line in sys.stdin:
        case = json.loads(line)
        try:
            if case["kind"] not in kinds:
                raise Unsupported(case["kind"])
            result = kinds[case["kind"]](case)
            samples, way = result if isinstance(result, tuple) else (result, None)
            now = time.process_time()
            outcome = {"versions": versions, "samples": samples, "cpuSeconds": now - before}
            before = now
            if way:
                outcome["way"] = way
        except Unsupported as error:
            outcome = {"unsupported": str(error)}
        gc.collect()
        print(json.dumps(outcome), file=out, flush=True)
