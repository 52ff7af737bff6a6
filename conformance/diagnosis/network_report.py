"""What a module is that is no layer: a stem, a network, or neither."""

from ..isolation.target import IsolatedTarget
from ..report import Diagnosis
from ..reports.summary import first_line
from .instance import ModuleError
from .network_diagnosis import diagnose_network
from .network_isolated import IsolatedNetwork, open_builder
from .stem_diagnosis import diagnose_stem


def beyond_a_layer(target: IsolatedTarget, diagnosis: Diagnosis) -> Diagnosis:
    """The diagnosis as a stem or a network where that as a layer explains nothing."""
    if diagnosis.found in ("options", "deviations") or target.trouble is not None:
        return diagnosis
    found = diagnose_stem(open_builder(target))
    # What gives images when it is built as a layer is no network.
    if found is None and diagnosis.found == "not judged":
        found = _network(target)
    return diagnosis if found is None else found


def _network(target: IsolatedTarget) -> Diagnosis | None:
    network = IsolatedNetwork(target)
    try:
        network.modules()
    except ModuleError:
        return None
    try:
        return diagnose_network(network)
    except ModuleError as error:
        return Diagnosis("not judged", stopped_at=f"as a network: {first_line(str(error))}")
