"""Mutants of the Numba kernels: packing, lanes, strips, tables and what folds into weights."""

from functools import partial

from .mutants import Mutant

# By name alone: the kernels are loaded like anyone's package, and only where they are judged.
_numba = partial(Mutant, package="sasakit.accel.numba_cpu")

# Heads as lanes are for wide layers; so changed, they serve the suites' narrow ones too.
_lanes = partial(_numba, setting=("head_layout", "LEAST_CHANNELS = 64\n", "LEAST_CHANNELS = 1\n"))
# The same with vectors of two, which two heads fill.
_pairs = partial(_numba, setting=("head_layout", "lanes_of(dtype).value if heads * depth >= LEAST_CHANNELS else 0\n", "2\n"))

# Stems take lanes where their heads are 4, 8 or 16; the suites' have fewer.
_stems = partial(_numba, setting=("stem_weights", "HEADS = (4, 8, 16)\n", "HEADS = (1, 2, 3, 4)\n"))

_BEFORE = "    extent, before = options.extent, options.slots_before\n"

NUMBA_MUTANTS = (
    _numba("WIN-1", "window-off-centre", "frame", _BEFORE, "    extent, before = options.extent, options.slots_before - (options.extent == 3)\n"),
    _numba("WIN-1", "margin-without-columns", "frame", "    margin = before * pitch + before\n", "    margin = before * pitch\n"),
    _numba("WIN-2", "even-window-after", "frame", _BEFORE, "    extent, before = options.extent, (options.extent - 1) // 2\n"),
    _numba("WIN-1", "rows-of-other-strips", "window_attention", "        place = strip * LANES + lane\n", "        place = lane\n"),
    _numba("WIN-4", "batch-mixing", "pack", "    source = start + (image // frame.heads) * pixels * stride", "    source = start + 0 * (image // frame.heads) * pixels * stride"),
    _numba("PAD-1", "padding-wrapped", "frame", "    pitch = width + max(before, extent - 1 - before)\n", "    pitch = width\n"),
    _numba("PAD-2", "padding-excluded-finite", "window_attention", "s[first + lane] if inside else -np.inf", "s[first + lane] if inside else -5"),
    _numba("PAD-2", "padding-zero", "window_attention", "    if frame.padding == EXCLUDE:\n", "    if frame.padding == EXCLUDE and frame.extent > 3:\n"),
    _numba("PAD-3", "window-shifted-far", "window_attention", "    return min(max(at - frame.before, 0), size - frame.extent)\n", "    return min(max(at - frame.before, 0), max(size - frame.extent - 1, 0))\n"),
    _numba("REL-1", "last-channel-ignored", "relative", "        for d in range(low, high):\n", "        for d in range(low, high - 1):\n"),
    _numba("REL-1", "last-product-ignored", "lanes", "    for _ in range(count % 4):\n", "    for _ in range(count % 4 - 1):\n"),
    _numba("REL-2", "first-half-ignored", "tables", "    return (0, half) if options.first_half == \"row\" else (half, 0)\n", "    return 0, half\n"),
    _numba("REL-3", "offset-descending", "tables", "    full[..., start:start + span // 2] = table\n", "    full[..., start:start + span // 2] = table[..., ::-1, :]\n"),
    _numba("REL-4", "tables-shared", "tables", "    return flat(np.broadcast_to(full, (heads", "    return flat(np.broadcast_to(full[:1], (heads"),
    _numba("REL-5", "heads-interleaved", "tables", "full.reshape(options.table_rows, heads, depth).swapaxes(0, 1))", "full.reshape(options.table_rows, depth, heads).transpose(2, 0, 1))"),
    _numba("REL-6", "slot-indexed-tables", "relative", "        entry = first_slot(at, size, frame) - at + frame.extent - 1\n", "        entry = frame.extent - 1 - frame.before\n"),
    _numba("REL-6", "slot-indexed-in-attention", "window_attention", "                entry += first_slot(at[lane], size, frame) - at[lane] + frame.extent - 1\n", "                entry += frame.extent - 1 - frame.before\n"),
    _numba("POS-2", "absolute-half-angle", "tables", "10000.0 ** (2 * (channel // 2) / channels)", "10000.0 ** ((channel // 2) / channels)"),
    _numba("POS-2", "absolute-in-the-margin", "pack", "lane = frame.margin + pixel // frame.width * frame.pitch + pixel % frame.width\n                out", "lane = frame.margin - 1 + pixel // frame.width * frame.pitch + pixel % frame.width\n                out"),
    _numba("ATT-1", "heads-interleaved", "pack", "factor * x[source + pixel * stride + d]", "factor * x[source - (image % frame.heads) * (frame.depth - 1) + pixel * stride + d * frame.heads]"),
    _numba("ATT-2", "last-depth-ignored", "lanes", "                           + a[i2 + lane] * b[j2 + lane] + a[i3 + lane] * b[j3 + lane])\n\n\n@helper\ndef dot_two", "                           + a[i2 + lane] * b[j2 + lane])\n\n\n@helper\ndef dot_two"),
    _numba("ATT-2", "key-of-the-slot-before", "lanes", "a3 * b[j3 + ONE + lane])", "a3 * b[j3 + lane])"),
    _numba("ATT-3", "scaled-both", "sources", "    position = scale if both else 1.0\n", "    position = scale\n"),
    _numba("ATT-4", "sum-of-the-last", "softmax", "            total[lane] += weight\n", "            total[lane] = weight\n"),
    _numba("ATT-5", "value-of-the-slot-before", "lanes", "after * b[j2 + ONE + lane]", "after * b[j2 + lane]"),
    _numba("ATT-6", "projection-shared", "attention", "    key = weights[\"w_key\"] if options.content else None\n", "    key = w_query if options.content else None\n"),
    _numba("ATT-6", "last-tap-ignored", "gemm", "taps, runs = min(PIECE, walk.taps - piece), ", "taps, runs = min(PIECE, walk.taps - piece - 1), "),
    _numba("ATT-7", "groups-shared", "attention", "(block, head * block.shape[0], part", "(block, 0 * head * block.shape[0], part"),
    _numba("ATT-8", "output-activated", "window_attention", "if relu and y < 0 else y", "if y < 0 else y"),
    _numba("ATT-9", "content-kept", "attention", "    key = Source(projected, channels, stride) if options.content else None\n", "    key = Source(projected, channels if options.content else 0, stride)\n"),
    _numba("MIX-1", "mixture-over-positions", "mixture", "        p /= p.sum(axis=-1, keepdims=True)\n", "        p /= p.sum(axis=(0, 1), keepdims=True)\n"),
    _numba("MIX-2", "position-in-batch", "mixture", "image_row % height % window_rows", "image_row % window_rows"),
    _numba("MIX-2", "position-transposed", "mixture", "window_rows * window_cols + j % window_cols\n", "window_rows + j % window_cols * window_rows\n"),
    _numba("MIX-3", "first-channel-only", "mixture", "        number = x[source + tap]\n", "        number = x[source]\n"),
    _numba("STEM-1", "stem-stride-misaligned", "stems", "7, stride=2, before=3,", "7, stride=2, before=2,"),
    _numba("STEM-1", "stem-pool-padded-low", "stems", "window=3, stride=2, before=1)", "window=3, stride=2, before=0)"),
    _numba("STEM-2", "last-depth-ignored", "block_attention", "x, source, 1, depth)", "x, source, 1, depth - 1)"),
    _numba("STEM-3", "stem-pool-minimum", "max_pool", "new if new > old or new != new else old", "new if new < old or new != new else old"),
    _numba("STEM-4", "value-is-key", "stems", "(x, 2 * channels, stride) if values is None", "(x, channels, stride) if values is None"),
    _numba("STEM-5", "even-window-after", "stems", "before=AttentionOptions(extent=window).slots_before)", "before=(window - 1) // 2)"),
    _numba("STEM-6", "mixture-ignored", "stems", "                                         weights[\"nu\"]), factor)", "                                         0 * weights[\"nu\"]), factor)"),
    _numba("STEM-7", "last-rows-not-cut", "block_attention", "min(window, blocks.height - i)", "window"),
    _numba("NET-1", "blocks-miscounted", "network", "        for packed in self.network.blocks:\n", "        for packed in self.network.blocks[:-1]:\n"),
    _numba("NET-2", "relu-missing", "network", "packed.reduce, pitch=self.pitch, relu=True)", "packed.reduce, pitch=self.pitch)"),
    _numba("NET-2", "residual-missing", "gemm", "        sums = plus_loaded(sums, after.residual, to, channel)\n", "        sums = sums\n"),
    _numba("NET-3", "relu-missing-after-pool", "network", "average(self.plan, y, full, shape, relu=True)", "average(self.plan, y, full, shape, relu=False)"),
    _numba("NET-6", "norm-unshifted", "norm", "(shift - mean * factor)", "(shift)"),
    _numba("NET-7", "classifier-unbiased", "network", "                              weights[\"classifier.bias\"])\n", "                              0 * weights[\"classifier.bias\"])\n"),
    _numba("NET-10", "columns-unstrided", "dense", "                stride * pitch, 1, 0,", "                pitch, 1, 0,"),
    _numba("NET-11", "pool-counts-padding", "average_pool", "1.0 / (rows * cols)", "0.25"),
    _numba("NUM-1", "silent-upcast", "arrays", "    dtype = like.dtype.newbyteorder(\"=\")\n    return _aligned", "    dtype = np.dtype(np.float64)\n    return _aligned"),
    _numba("NUM-2", "exponential-cut-short", "exponential", "((((C5 * r + C4) * r + C3) * r + C2) * r + C1)", "(C2 * r + C1)"),
    _numba("NUM-2", "exponential-rounded-constant", "exponential", "np.float64(1.42860682030941723212e-6)", "np.float64(1.4286e-6)"),
    _numba("NUM-3", "softmax-unshifted", "softmax", "            peak[lane] = logit if logit > peak[lane] else peak[lane]\n", "            peak[lane] = peak[lane]\n"),
    _numba("NUM-4", "nan-swallowed", "exponential", "    return y if x == x else x\n\n\n@helper_in_order\ndef exp_float64", "    return y\n\n\n@helper_in_order\ndef exp_float64"),
    _numba("NUM-6", "strides-ignored", "arrays", "(\"C\", \"A\", \"W\", \"E\")).reshape(-1)", "(\"A\", \"W\", \"E\")).reshape(-1, order=\"A\")"),
    _numba("INV-2", "broadcast-silently", "attention", "lambda: check_local_attention(NUMBA, query, key, value, rel_row, rel_col, options)", "lambda: None"),
    _numba("INV-6", "weights-ignored", "attention", "_fitting.check(lambda: check_attention_layer(NUMBA, x, weights, options)", "_fitting.check(lambda: None"),
    _numba("NUM-2", "queries-cleared-twice", "window_attention", "    clear(q, 0, q.size)\n", "    clear(q, 0, q.size)\n    clear(q, 0, q.size)\n", equivalent="zeros written a second time are the same zeros"),
    _numba("WIN-1", "longer-pitch", "frame", "    pitch = width + max(before, extent - 1 - before)\n", "    pitch = width + extent - 1\n", equivalent="more zeros between rows than windows reach are never read"),
    _lanes("WIN-1", "window-off-centre-in-lanes", "head_attention", "        left = first_slot(j, frame.width, extent, frame)\n", "        left = max(first_slot(j, frame.width, extent, frame) - 1, 0)\n"),
    _lanes("PAD-2", "padding-zero-in-lanes", "head_attention", "0 <= col < frame.width", "0 <= col <= frame.width"),
    _lanes("PAD-3", "window-shifted-far-in-lanes", "head_attention", "        return min(max(at - frame.before, 0), size - extent)\n", "        return max(min(at - frame.before, size - extent - 1), 0)\n"),
    _lanes("REL-3", "offset-descending-in-lanes", "head_tables", "entry * half + channel]", "(entries - 1 - entry) * half + channel]"),
    _lanes("REL-6", "slot-indexed-in-lanes", "head_attention", "table + (left - j + extent - 1 if frame.shift else 0)", "table + (extent - 1 if frame.shift else 0)"),
    _lanes("ATT-1", "heads-swapped-in-lanes", "head_attention", "        stores(out, target + d, depth, rows)\n", "        stores(out, target + d, depth, rows[::-1])\n"),
    _pairs("ATT-2", "second-row-repeated", "head_logits", "qkv, place + frame.pitch + vector * lanes, step)", "qkv, place + vector * lanes, step)"),
    _lanes("ATT-2", "pixel-beside-repeated", "head_logits", "qkv, beside + place, step)", "qkv, window + place, step)"),
    _lanes("ATT-4", "total-of-the-first", "head_attention", "        total = total + summed(weights)\n", "        total = total + weights[0]\n"),
    _lanes("WIN-4", "slot-of-the-pixel-beside", "head_attention", "s, q + (col - lag) * lanes", "s, q + col * lanes"),
    _lanes("ATT-6", "key-projected-as-query", "heads", "plan.launch(pack_heads_kernel, weights, matrix,", "plan.launch(pack_heads_kernel, weights, matrices[0],"),
    _lanes("NET-3", "shift-misplaced-in-lanes", "heads", "    shift[layer.places.reshape(-1)] = layer.bias\n", "    shift[:layer.bias.size] = layer.bias\n"),
    _stems("STEM-2", "first-depth-ignored-in-lanes", "stem_blocks", "        for vector in range(blocks.vectors):\n            row, beside", "        for vector in range(1, blocks.vectors):\n            row, beside"),
    _stems("STEM-3", "pool-sums-in-lanes", "stem_blocks", "            row = maximum(row, loads(", "            row = plus_row(row, loads("),
    _stems("STEM-4", "value-is-key-in-lanes", "stem_blocks", "x, pixels, value,\n                    unit * blocks.taps * number, one", "x, pixels, key, 0, one"),
    _stems("STEM-6", "position-transposed-in-lanes", "stem_weights", "heads_last(value, heads)", "heads_last(value.swapaxes(0, 1), heads)"),
    _stems("STEM-2", "softmax-of-one-part", "head_attention", "summed_parts((total,), own)[0]", "total"),
    _stems("STEM-3", "query-beside-not-pooled", "stem_blocks", "        if not last:\n", "        if last:\n"),
    _stems("STEM-7", "last-rows-not-cut-in-lanes", "stem_blocks", "slot // window >= rows or ", ""),
    _stems("STEM-7", "last-columns-not-cut-in-lanes", "stem_blocks", "cols = min(window, blocks.width - j)", "cols = window"),
)
