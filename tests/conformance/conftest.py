"""What several tests of the kit ask for."""

import pytest


@pytest.fixture
def one_thread():
    """Small modules run on one thread: more only wait for one another."""
    import torch
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
