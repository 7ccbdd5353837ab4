"""oneDNN's matrix product, called in its library: onednn_peer.py THREADS. The library is libdnnl of the system, or the one named by DNNL_LIBRARY."""

import ctypes
import ctypes.util
import os

from peer import measure_calls, serve


class Version(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in ("major", "minor", "patch")]


def load():
    name = os.environ.get("DNNL_LIBRARY") or ctypes.util.find_library("dnnl")
    if not name:
        raise ImportError("there is no libdnnl; on Debian it is in libdnnl2, elsewhere set DNNL_LIBRARY to its path")
    return ctypes.CDLL(name)


def matmul(library):
    one, zero = ctypes.c_float(1), ctypes.c_float(0)
    wide = ctypes.c_int64

    def run(case):
        m, k, n = (case[name] for name in "mkn")
        a, b, c = ((ctypes.c_float * size)(*([0.25, -0.5, 0.75, 1.0] * (size // 4 + 1))[:size]) for size in (m * k, k * n, m * n))

        def calls(count):
            for _ in range(count):
                status = library.dnnl_sgemm(
                    ctypes.c_char(b"N"), ctypes.c_char(b"N"), wide(m), wide(n), wide(k), one, a, wide(k), b, wide(n), zero, c, wide(n)
                )
                if status != 0:
                    raise RuntimeError(f"dnnl_sgemm: status {status}")

        return measure_calls(case, calls)

    return run


if __name__ == "__main__":
    library = load()
    library.dnnl_version.restype = ctypes.POINTER(Version)
    version = library.dnnl_version().contents
    serve({"onednn": f"{version.major}.{version.minor}.{version.patch}"}, {"matmul": matmul(library)})
