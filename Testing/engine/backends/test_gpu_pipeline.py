"""Two batches under way give what one after the other gives; on a GPU, kernels that are replayed too."""

import numpy as np
import pytest
import torch
from fakes import Fake, brain, make_model
from tiny_models import make_tiny_bilateral, make_tiny_model

from surgical_style_engine.backends.gpu_pipeline import EAGER_RUNS, GpuPipeline
from surgical_style_engine.backends.gpu_work import Recording
from surgical_style_engine.backends.torch_runner import CudaRunner, TorchRunner
from surgical_style_engine.errors import OutOfMemoryError
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.networks import build_generator

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=needs_cuda)]


def batches(count: int, shape=(2, 3, 16, 20)) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.uniform(-1, 1, shape).astype(np.float32) for _ in range(count)]


SMALL = {"resnet": {"ngf": 4, "n_blocks": 1}, "bilateral": {"features": 8, "bins": 5, "levels": 1, "detail": 4}}


def small_network(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    network = build_generator(name, in_channels=3, out_channels=3, **SMALL[name]).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(20)
    return network


def two_under_way(pipeline: GpuPipeline, given: list[np.ndarray]) -> list[np.ndarray]:
    """Start one batch ahead of the one that is fetched."""
    made, waiting = [], []
    for batch in given:
        waiting.append(pipeline.start(batch))
        if len(waiting) == 2:
            made.append(waiting.pop(0)())
    return made + [waiting.pop(0)()]


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("device", DEVICES)
def test_every_batch_gets_its_own_result(device, name):
    """Batches of several shapes, some of them often enough for recordings."""
    network = small_network(name)
    with torch.no_grad():
        given = batches(7) + batches(3, (1, 3, 32, 16)) + batches(5)
        wanted = [network(torch.from_numpy(batch)).numpy() for batch in given]
    pipeline = GpuPipeline(network.to(device), torch.device(device))
    made = two_under_way(pipeline, given)
    assert len(made) == len(wanted)
    for mine, other in zip(made, wanted, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-3)
    pipeline.clear()
    np.testing.assert_allclose(pipeline.start(given[0])(), wanted[0], atol=1e-3)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("device", DEVICES)
def test_kernels_are_recorded_and_compute_the_same(device, name):
    network = small_network(name).to(device)
    pipeline = GpuPipeline(network, torch.device(device))
    for batch in batches(2 * EAGER_RUNS + 4):
        made = pipeline.start(batch)()
        with torch.no_grad():
            np.testing.assert_allclose(made, network(torch.from_numpy(batch).to(device)).cpu().numpy(), atol=1e-3)
    assert all(slot.recording is not None for slot in pipeline._slots)


@pytest.mark.parametrize("device", DEVICES)
def test_recordings_are_replayed_and_the_network_runs_no_more(device):
    """On the processor a replay is the function; there, how often it is replayed is counted."""
    pipeline = GpuPipeline(lambda images: images * 2, torch.device(device))
    replays, record = [], pipeline._work.record

    def counting(forward, stream):
        recording = record(forward, stream)
        return Recording(lambda: (replays.append(1), recording.replay()), recording.result)

    pipeline._work.record = counting
    given = batches(2 * EAGER_RUNS + 6)
    for mine, batch in zip(two_under_way(pipeline, given), given, strict=True):
        np.testing.assert_array_equal(mine, batch * 2)
    # Each slot's is tried once when it is recorded, and replayed for every batch from then on.
    assert len(replays) == 2 + 6


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("failure", ["cannot be recorded", "computes something else"])
def test_a_network_that_cannot_be_recorded_runs_as_before(device, failure):
    pipeline = GpuPipeline(lambda images: images * 2, torch.device(device))
    record, tried = pipeline._work.record, []

    def wrong(forward, stream):
        tried.append(1)
        if failure == "cannot be recorded":
            raise RuntimeError("operation not permitted when stream is capturing")
        return record(lambda: forward() + 0.1, stream)

    pipeline._work.record = wrong
    given = batches(2 * EAGER_RUNS + 6)
    for mine, batch in zip(two_under_way(pipeline, given), given, strict=True):
        np.testing.assert_array_equal(mine, batch * 2)
    assert len(tried) == 1 and all(slot.recording is None for slot in pipeline._slots)


def test_what_nobody_fetched_does_not_come_back():
    pipeline = GpuPipeline(lambda images: images * 2, torch.device("cpu"))
    given = batches(5)
    for batch in given[:4]:
        pipeline.start(batch)
    np.testing.assert_array_equal(pipeline.start(given[4])(), given[4] * 2)


@pytest.mark.parametrize("make", [make_tiny_model, make_tiny_bilateral])
def test_the_runner_translates_a_volume_as_the_processors_does(tmp_path, make):
    model, volume = load_model(make(tmp_path)), brain(5, (9, 50, 44))
    made = [
        translate_volume(volume, model, runner=kind(model, "forward", "cpu", "fp32"), batch_size=2).volume.array
        for kind in (TorchRunner, CudaRunner)
    ]
    np.testing.assert_allclose(made[1], made[0], atol=1e-3)


def test_after_short_memory_the_slots_are_given_back(tmp_path, monkeypatch):
    model = load_model(make_tiny_model(tmp_path))
    runner = CudaRunner(model, "forward", "cpu", "fp32")
    given = batches(2, (1, model.card.stack, 32, 32))
    runner.run(given[0])
    forward = runner._pipeline._network

    def fails(images):
        raise RuntimeError("CUDA out of memory.")

    runner._pipeline._network = fails
    with pytest.raises(MemoryError):
        runner.run(given[1])
    assert runner._pipeline._slots == []
    runner._pipeline._network = forward
    np.testing.assert_array_equal(runner.run(given[0]), TorchRunner(model, "forward", "cpu", "fp32").run(given[0]))


class TwoSlots(Fake):
    """A runner like a GPU's: results lie in two places that take turns, and are computed when they are fetched.
    ``most``: slices that memory holds, all batches under way together."""

    ahead = 1

    def __init__(self, function, most=1000, fails="start"):
        super().__init__(function, "cuda", most)
        self.places, self.turn, self.under_way, self.most_under_way, self.fails = [None, None], 0, [], 0, fails

    def start(self, batch):
        if self.fails == "start" and sum(map(len, self.under_way)) + len(batch) > self.most:
            raise MemoryError
        turn, self.turn = self.turn, 1 - self.turn
        self.places[turn] = batch.copy()
        self.under_way.append(batch)
        self.most_under_way = max(self.most_under_way, len(self.under_way))

        def fetch():
            assert self.under_way[0] is batch, "fetched in the order in which they were started"
            self.under_way.pop(0)
            if self.fails == "fetch" and len(batch) > self.most:
                raise MemoryError
            self.shapes.append(batch.shape)
            return np.asarray(self.function(self.places[turn]), np.float32)

        return fetch


@pytest.mark.parametrize("planes", [["axial"], ["axial", "coronal"]])
@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_volume_is_the_same_with_one_batch_ahead(planes, size):
    volume, model = brain(7), make_model(stack=3)
    options = {"planes": planes, "batch_size": size}
    wanted = translate_volume(volume, model, runner=Fake(np.tanh), **options)
    told = []
    runner = TwoSlots(np.tanh)
    made = translate_volume(volume, model, runner=runner, progress=lambda *at: told.append(at), **options)
    np.testing.assert_array_equal(made.volume.array, wanted.volume.array)
    assert runner.most_under_way == (2 if size < 100 else 1) and not runner.under_way
    assert told[-1] == (made.slices, made.slices) and told == sorted(told)


@pytest.mark.parametrize("fails", ["start", "fetch"])
def test_short_memory_is_noticed_wherever_it_shows(fails):
    volume, model = brain(7), make_model()
    wanted = translate_volume(volume, model, runner=Fake(np.tanh))
    made = translate_volume(volume, model, runner=TwoSlots(np.tanh, most=3, fails=fails), batch_size=8)
    np.testing.assert_array_equal(made.volume.array, wanted.volume.array)
    assert any("reduced to 2 slices" in sentence for sentence in made.warnings)
    with pytest.raises(OutOfMemoryError, match="use the device cpu"):
        translate_volume(volume, model, runner=TwoSlots(np.tanh, most=0, fails=fails), batch_size=8)
