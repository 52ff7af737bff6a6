"""What a module is that is no layer: a stem, a network, or neither."""

from ..isolation.target import IsolatedTarget
from ..report import Diagnosis
from .network_isolated import open_builder
from .stem_diagnosis import diagnose_stem


def beyond_a_layer(target: IsolatedTarget, diagnosis: Diagnosis) -> Diagnosis:
    """The diagnosis as a stem or a network where that as a layer explains nothing."""
    if diagnosis.found in ("options", "deviations") or target.trouble is not None:
        return diagnosis
    stem = diagnose_stem(open_builder(target))
    return diagnosis if stem is None else stem
