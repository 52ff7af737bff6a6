"""Local attention as a process: reads requests as JSON lines, writes responses. Needs NumPy alone.

Judge it with:  sasakit verify --process "python examples/process/attention.py"
"""

import base64
import json
import sys

import numpy as np

HELLO = {
    "name": "attention.py",
    "spec_version": "0.1",
    "operations": ["relative_logits", "local_attention", "relative_logits_vjp"],
    "dtypes": ["float64", "float32"],
    "options": {"relative": ["shared", "per_head"], "position": ["relative", "none"]},
    "checks_input": False,
}


def read_array(entry):
    """The array of a request's entry, in float64; None where the options leave it out."""
    if entry is None:
        return None
    dtype = np.dtype(entry["dtype"]).newbyteorder("<")
    flat = np.frombuffer(base64.b64decode(entry["data"]), dtype)
    return flat.reshape(entry["shape"]).astype(np.float64)


def window(at, size, options):
    """Neighbours of one row or column, and the entries of the relative table that they read."""
    extent = options["extent"]
    before = extent // 2 if options["even_window"] == "before" else (extent - 1) // 2
    if options["padding"] == "shift":
        start = min(max(at - before, 0), size - extent)
        return start + np.arange(extent), start - at + extent - 1 + np.arange(extent)
    return at - before + np.arange(extent), np.arange(extent)


def table_logits(query, rel_row, rel_col, options, rows, cols):
    """(batch, heads, rows, cols): relative logits of one pixel's query (batch, heads, depth)."""
    half = query.shape[-1] // 2
    first, second = query[..., :half], query[..., half:]
    for_row, for_col = (first, second) if options["first_half"] == "row" else (second, first)
    heads = query.shape[1]
    per_head = [np.broadcast_to(table, (heads, *table.shape[-2:])) for table in (rel_row, rel_col)]
    by_row = np.einsum("bnd,ntd->bnt", for_row, per_head[0][:, rows])
    by_col = np.einsum("bnd,ntd->bnt", for_col, per_head[1][:, cols])
    return by_row[..., :, None] + by_col[..., None, :]


def relative_logits(options, query, rel_row, rel_col):
    """SPEC chapter 3."""
    batch, height, width, heads, _ = query.shape
    extent = options["extent"]
    result = np.empty((batch, height, width, heads, extent, extent))
    for i in range(height):
        for j in range(width):
            rows, cols = window(i, height, options)[1], window(j, width, options)[1]
            result[:, i, j] = table_logits(query[:, i, j], rel_row, rel_col, options, rows, cols)
    return result


def local_attention(options, query, key, value, rel_row, rel_col):
    """SPEC chapter 5."""
    batch, height, width = query.shape[:3]
    result = np.empty(query.shape)
    for i in range(height):
        for j in range(width):
            (at_rows, rows), (at_cols, cols) = window(i, height, options), window(j, width, options)
            inside = np.ix_(np.flatnonzero((at_rows >= 0) & (at_rows < height)),
                            np.flatnonzero((at_cols >= 0) & (at_cols < width)))
            pixels = np.ix_(range(batch), at_rows[inside[0].ravel()], at_cols[inside[1].ravel()])
            logits = np.zeros((batch, query.shape[3], len(rows), len(cols)))
            place = (slice(None), slice(None), *inside)
            if options["content"]:
                logits[place] += options["scale"] * np.einsum("bnd,brcnd->bnrc", query[:, i, j],
                                                              key[pixels])
            if options["position"] == "relative":
                factor = options["scale"] if options["scale_terms"] == "both" else 1.0
                logits += factor * table_logits(query[:, i, j], rel_row, rel_col, options,
                                                rows, cols)
            if options["padding"] == "exclude":
                everything, logits = logits, np.full(logits.shape, -np.inf)
                logits[place] = everything[place]
            weights = np.exp(logits - logits.max(axis=(2, 3), keepdims=True))
            weights /= weights.sum(axis=(2, 3), keepdims=True)
            result[:, i, j] = np.einsum("bnrc,brcnd->bnd", weights[place], value[pixels])
    return result


def relative_logits_vjp(options, query, rel_row, rel_col, upstream):
    """SPEC GRAD-2: an entry gathers from all pixels that read it, a query from its window."""
    grads = {"query": query * 0, "rel_row": rel_row * 0, "rel_col": rel_col * 0}
    _, height, width, heads, depth = query.shape
    row_half, col_half = slice(depth // 2), slice(depth // 2, depth)
    if options["first_half"] == "column":
        row_half, col_half = col_half, row_half
    for i in range(height):
        for j in range(width):
            places = window(i, height, options)[1], window(j, width, options)[1]
            for name, half, axis, at in (("rel_row", row_half, 3, places[0]),
                                         ("rel_col", col_half, 2, places[1])):
                table = {"rel_row": rel_row, "rel_col": rel_col}[name]
                table = np.broadcast_to(table, (heads, *table.shape[-2:]))
                reads = upstream[:, i, j].sum(axis=axis)
                grads["query"][:, i, j, :, half] = np.einsum("bnt,ntd->bnd", reads, table[:, at])
                own = np.einsum("bnt,bnd->ntd", reads, query[:, i, j, :, half])
                grads[name][..., at, :] += own if rel_row.ndim == 3 else own.sum(axis=0)
    return grads


OPERATIONS = {"relative_logits": relative_logits, "local_attention": local_attention,
              "relative_logits_vjp": relative_logits_vjp}


def spell(result, dtype):
    """The entry of a response."""
    result = result.astype(np.dtype(dtype).newbyteorder("<"))
    return {"shape": list(result.shape), "data": base64.b64encode(result.tobytes()).decode()}


def answer(request):
    """The response to one request."""
    arrays = [read_array(entry) for entry in request["arrays"].values()]
    with np.errstate(all="ignore"):
        result = OPERATIONS[request["operation"]](request["options"], *arrays)
        if isinstance(result, dict):
            return {"id": request["id"], "gradients": {
                name: spell(gradient, request["dtype"]) for name, gradient in result.items()}}
        return {"id": request["id"], **spell(result, request["dtype"])}


def main():
    """Answer line after line until the input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps({"hello": HELLO} if "hello" in request else answer(request)), flush=True)


if __name__ == "__main__":
    main()
