"""The attention core at the four shapes of ResNet-50: our kernels against torch's unfold form.

    python benchmarks/attention_core.py [--rounds 15] [--batch 1] [--json]

Both run in one process with the same number of threads, in turns; medians and their ratio are
printed. The unfold form gathers the windows of key and value with F.unfold, adds the relative
embedding's logits, and mixes by two batched products; it is given channels-first tensors, as it
likes them, and the faster of two ways to multiply. Our side takes and returns channels-last arrays.
"""

import argparse
import json
import os
import platform
import statistics
import time

import numba
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from sasakit.accel import resolve_backend
from sasakit.conformance.case import Case, expect
from sasakit.conformance.judge import measure
from sasakit.conformance.profiles import plain_profile
from sasakit.reference import AttentionOptions

SHAPES = {"56x56": (56, 8), "28x28": (28, 16), "14x14": (14, 32), "7x7": (7, 64)}
HEADS, EXTENT = 8, 7


def unfold_forms(query, key, value, r):
    """Two ways to write the same: einsum, and batched matrix products.

    query, key, value (batch, heads, depth, height, width); r (depth, extent * extent)
    """
    batch, heads, depth, height, width = query.shape
    pixels = height * width

    def windows(x):
        flat = x.reshape(batch, heads * depth, height, width)
        gathered = F.unfold(flat, EXTENT, padding=EXTENT // 2)
        return gathered.view(batch, heads, depth, EXTENT * EXTENT, pixels)

    q = query.reshape(batch, heads, depth, pixels)

    def by_einsum():
        logits = torch.einsum("bndp,bndsp->bnsp", q, windows(key)) \
            + torch.einsum("bndp,ds->bnsp", q, r)
        return torch.einsum("bnsp,bndsp->bndp", logits.softmax(dim=2), windows(value))

    def by_matmul():
        rows = q.permute(0, 1, 3, 2).unsqueeze(3)
        k = windows(key).permute(0, 1, 4, 2, 3) + r
        p = (rows @ k).softmax(dim=-1)
        y = p @ windows(value).permute(0, 1, 4, 3, 2)
        return y.squeeze(3).permute(0, 1, 3, 2)

    return {"einsum": by_einsum, "matmul": by_matmul}


def one_shape(size, depth, batch, rounds):
    """Median seconds of each form, and rho of the results within the error budget."""
    rng = np.random.default_rng(0)
    shape = (batch, size, size, HEADS, depth)
    options = AttentionOptions(extent=EXTENT, heads=HEADS)
    names = ("query", "key", "value")
    arrays = {name: rng.standard_normal(shape).astype(np.float32) for name in names}
    arrays |= {name: rng.standard_normal((EXTENT, depth // 2)).astype(np.float32)
               for name in ("rel_row", "rel_col")}
    backend = resolve_backend("numba")

    def ours():
        return backend.local_attention(*arrays.values(), options=options)

    tensors = [torch.from_numpy(arrays[name]).permute(0, 3, 4, 1, 2).contiguous() for name in names]
    row, col = (torch.from_numpy(arrays[name]) for name in ("rel_row", "rel_col"))
    r = torch.cat([row[:, None].expand(-1, EXTENT, -1), col[None].expand(EXTENT, -1, -1)], dim=-1)
    forms = unfold_forms(*tensors, r.reshape(EXTENT * EXTENT, depth).T.contiguous())
    with torch.inference_mode():
        results = {name: form().view(batch, HEADS, depth, size, size).permute(0, 3, 4, 1, 2).numpy()
                   for name, form in forms.items()}
    case = Case("local_attention", {name: array.astype(np.float64)
                                    for name, array in arrays.items()}, options, "float32")
    want = expect(case, plain_profile("float32"))
    results["numba"] = ours()
    rho = {name: measure(name, result, want) for name, result in results.items()}
    seconds = {name: [] for name in ("numba", *forms)}
    with torch.inference_mode():
        for _ in range(rounds):
            for name, form in {"numba": ours, **forms}.items():
                start = time.perf_counter()
                form()
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}, rho


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    numba.set_num_threads(given.threads)
    rows = []
    for name, (size, depth) in SHAPES.items():
        seconds, rho = one_shape(size, depth, given.batch, given.rounds)
        best = min(("einsum", "matmul"), key=seconds.__getitem__)
        rows.append({"shape": name, "heads": HEADS, "depth": depth, "batch": given.batch,
                     "numba_ms": seconds["numba"] * 1e3, "unfold_ms": seconds[best] * 1e3,
                     "unfold_form": best, "ratio": seconds[best] / seconds["numba"],
                     "rho": rho["numba"]})
    machine = {"cpu": platform.processor() or platform.machine(), "threads": given.threads,
               "numba": numba.__version__, "torch": torch.__version__, "numpy": np.__version__}
    if given.json:
        print(json.dumps({"machine": machine, "rows": rows}, indent=2))
        return
    print(", ".join(f"{key} {value}" for key, value in machine.items()))
    print(f"{'map, heads x depth':<22}{'numba ms':>10}{'unfold ms':>11}{'ratio':>8}{'rho':>8}")
    for row in rows:
        label = f"{row['shape']}, {row['heads']} x {row['depth']}"
        print(f"{label:<22}{row['numba_ms']:>10.3f}{row['unfold_ms']:>11.3f}{row['ratio']:>8.1f}"
              f"{row['rho']:>8.3f}")


if __name__ == "__main__":
    main()
