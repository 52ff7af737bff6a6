"""Chapter 12, gradients of the value mixture. GRAD-7."""

import numpy as np

from .arrays import NUMPY, SILENT, Floats
from .contract.upstream import check_value_mixture_vjp
from .gradients_attention import softmax_vjp
from .mixture import mixture_weights


@SILENT
def value_mixture_vjp(upstream: Floats, x: Floats, w_value: Floats, emb_row: Floats,
                      emb_col: Floats, nu: Floats) -> dict[str, Floats]:
    """Gradients of all five arguments by name, each of its shape and dtype, SPEC GRAD-7.

    upstream  (batch, height, width, channels_out), the dtype of x
    The other arguments are those of `value_mixture`.
    Raises ValueError for shapes, TypeError for dtypes.
    """
    check_value_mixture_vjp(NUMPY, upstream, x, w_value, emb_row, emb_col, nu)
    p = mixture_weights(emb_row, emb_col, nu)
    mixed = np.einsum("abm,mio->abio", p, w_value)
    dx, dmixed = np.zeros(x.shape, x.dtype), np.zeros(mixed.shape, x.dtype)
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            # SPEC GRAD-7: every pixel at the same place of its pooling window adds up there.
            a, b = i % p.shape[0], j % p.shape[1]
            dx[:, i, j] = upstream[:, i, j] @ mixed[a, b].T
            dmixed[a, b] += x[:, i, j].T @ upstream[:, i, j]
    ds = softmax_vjp(np.einsum("abio,mio->abm", dmixed, w_value), p, axis=-1)
    embedding = emb_row[:, None] + emb_col
    return {"x": dx,
            "w_value": np.einsum("abm,abio->mio", p, dmixed),
            "emb_row": np.einsum("abm,me->ae", ds, nu),
            "emb_col": np.einsum("abm,me->be", ds, nu),
            "nu": np.einsum("abm,abe->me", ds, embedding)}
