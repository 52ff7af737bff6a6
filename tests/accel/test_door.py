"""The one door: by argument, by environment, and never silently another backend."""

import pytest

from sasakit.accel import door, installed_backends, resolve_backend


@pytest.mark.parametrize("name", ["reference", "numba", "torch"])
def test_gives_what_is_asked_for(name, monkeypatch):
    assert resolve_backend(name).name == name
    monkeypatch.setenv("SASAKIT_BACKEND", name)
    assert resolve_backend().name == name


def test_the_argument_wins_over_the_environment(monkeypatch):
    monkeypatch.setenv("SASAKIT_BACKEND", "no such backend")
    assert resolve_backend("reference").name == "reference"


@pytest.mark.parametrize("asked", ["cuda", "", "Numba"])
def test_refuses_unknown_names(asked, monkeypatch):
    text = (f"^`backend` must be one of reference, numba, torch, auto; got {asked!r}. "
            "Installed here: reference, numba, torch.$")
    with pytest.raises(ValueError, match=text):
        resolve_backend(asked)
    monkeypatch.setenv("SASAKIT_BACKEND", asked)
    with pytest.raises(ValueError, match=text):
        resolve_backend()


def without(monkeypatch, *packages):
    find = door.importlib.util.find_spec
    monkeypatch.setattr(door.importlib.util, "find_spec",
                        lambda name: None if name in packages else find(name))


def test_refuses_what_is_not_installed(monkeypatch):
    without(monkeypatch, "torch")
    assert installed_backends() == ("reference", "numba")
    with pytest.raises(ValueError, match=r"^`backend` must be installed; got 'torch', which needs "
                                         r"pip install 'sasakit\[torch\]'. "
                                         r"Installed here: reference, numba.$"):
        resolve_backend("torch")


@pytest.mark.parametrize(("missing", "picked"), [
    ((), "numba"), (("torch",), "numba"), (("torch", "numba"), "reference"),
])
def test_auto_says_what_it_picked(missing, picked, monkeypatch, caplog):
    without(monkeypatch, *missing)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.delenv("SASAKIT_BACKEND", raising=False)
    with caplog.at_level("INFO", logger="sasakit"):
        assert resolve_backend("auto").name == picked
        assert resolve_backend().name == picked
    assert caplog.messages == [f"auto picked the backend {picked}"] * 2


def test_auto_picks_torch_where_there_is_a_gpu(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert resolve_backend("auto").name == "torch"
