"""A request of some steps on a small style, and one adaptation that several tests look at."""

import pytest
from adapting import QUICK, STEPS, head_pair, style


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    """The style to begin with."""
    from surgical_style_engine.models.folder import load_model

    return load_model(style(tmp_path_factory.mktemp("styles")))


@pytest.fixture(scope="session")
def quick():
    """Settings with which something is learned within some steps."""
    from training_cli.adapt import settings

    with pytest.MonkeyPatch.context() as patch:
        for name, value in QUICK.items():
            patch.setitem(settings._SMALL, name, value)
        patch.setitem(settings._COMMON, "ema_decay", 0.9)
        yield


@pytest.fixture(scope="session")
def asked(base):
    """``asked(folder, **changes)`` -> a request, which writes into a folder of styles."""
    from training_cli.adapt.request import AdaptRequest

    def make(folder, pairs=1, **changes):
        volumes = [head_pair(seed, name=f"Doe_John_{seed}.nii.gz") for seed in range(1, pairs + 1)]
        values = {
            "model": base,
            "name": "mine",
            "sources": [a for a, _ in volumes],
            "targets": [b for _, b in volumes],
            "steps": STEPS,
            "folder": folder,
            "device": "cpu",
            **changes,
        }
        return AdaptRequest(**values)

    return make
