"""The same network in every backend and precision gives the same picture; what a machine cannot do is said."""

import numpy as np
import pytest
import torch
from agreement import BF16_BOUND, FP32_BOUND, pictures, rms

from surgical_style_engine.backends import devices, torch_runner
from surgical_style_engine.backends.select import make_runner
from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.inference.translate import translate_volume


class TestAgreement:
    def test_torch_and_openvino_and_their_precisions(self, any_model, any_runners):
        """One compiled network takes every batch size, height and width. Some compute the middle slice alone."""
        made = 1 if any_model.card.architecture.name in ("resnet", "bilateral") else 3
        for setting, runner in any_runners.items():
            assert (runner.backend, runner.precision, runner.device) == (*setting, "cpu")
        for count, h, w in ((1, 32, 32), (3, 44, 64), (2, 100, 36), (1, 32, 32)):
            batch = pictures(count, h, w, channels=3)
            wanted = any_runners["torch", "fp32"].run(batch)
            assert wanted.shape == (count, made, h, w) and wanted.dtype == np.float32
            assert wanted.std() > 0.1, "a network that draws nothing proves nothing"
            for (backend, precision), runner in any_runners.items():
                found = runner.run(batch)
                assert found.shape == wanted.shape and found.dtype == np.float32
                error = rms(found, wanted)
                assert error < (FP32_BOUND if precision == "fp32" else BF16_BOUND), (backend, precision, batch.shape)

    def test_the_same_input_gives_the_same_output(self, any_model, any_runners):
        batch = pictures(2, 44, 64, channels=3)
        for (backend, precision), runner in any_runners.items():
            another = make_runner(any_model, device="cpu", precision=precision, backend=backend)
            first = runner.run(batch)
            runner.run(-batch)
            assert np.array_equal(runner.run(batch), first), (backend, precision)
            assert np.array_equal(another.run(batch), first), (backend, precision)

    def test_a_batch_is_the_slices_one_by_one(self, any_runners):
        batch = pictures(4, 40, 48, channels=3)
        for backend in ("torch", "openvino"):
            runner = any_runners[backend, "fp32"]
            singly = np.concatenate([runner.run(image[None]) for image in batch])
            assert rms(runner.run(batch), singly) < FP32_BOUND

    def test_results_are_not_overwritten_by_the_next_run(self, runners):
        for runner in runners.values():
            first = runner.run(pictures(2, 40, 40))
            kept = first.copy()
            runner.run(-pictures(2, 40, 40))
            assert np.array_equal(first, kept)

    def test_the_two_directions_are_two_networks(self, model, runners):
        batch = pictures(1, 40, 40)
        backward = [make_runner(model, "backward", "cpu", "fp32", name).run(batch) for name in ("torch", "openvino")]
        assert rms(*backward) < FP32_BOUND
        assert rms(backward[0], runners["torch", "fp32"].run(batch)) > 0.1

    def test_bf16_is_really_used(self, runners):
        """Where the hardware has it; OpenVINO would fall back to fp32 elsewhere."""
        batch = pictures(2, 48, 40)
        for backend in ("torch", "openvino") if devices.bf16_helps(torch.device("cpu")) else ("torch",):
            full, half = (runners[backend, precision].run(batch) for precision in ("fp32", "bf16"))
            assert 1e-4 < rms(full, half) < BF16_BOUND

    def test_a_real_volume(self, shared_data, model, runners):
        volume = read_volume(shared_data / "open-ms" / "longitudinal" / "patient04_study1_T1W.nii.gz")
        volume = volume.with_array(volume.array[:, 20:24])
        made = {setting: translate_volume(volume, model, runner=runner) for setting, runner in runners.items()}
        for (backend, precision), translation in made.items():
            assert (translation.backend, translation.precision, translation.device) == (backend, precision, "cpu")
            error = rms(translation.normalized_output, made["torch", "fp32"].normalized_output)
            assert error < (FP32_BOUND if precision == "fp32" else BF16_BOUND)


class TestChoices:
    @pytest.mark.parametrize(("helps", "precision"), [(True, "bf16"), (False, "fp32")])
    def test_auto_is_torch_in_what_the_hardware_multiplies(self, model, monkeypatch, helps, precision):
        monkeypatch.setattr(torch_runner, "bf16_helps", lambda device: helps)
        runner = make_runner(model, device="cpu")
        assert (runner.backend, runner.precision, runner.device) == ("torch", precision, "cpu")


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            ({"precision": "fp64"}, "There is no precision 'fp64'; use auto, fp32, bf16, fp16, int8, int8+bf16."),
            ({"backend": "tensorrt"}, "There is no backend 'tensorrt'; use auto, torch, openvino."),
            ({"direction": "sideways"}, "The model tiny has no direction 'sideways'; it has forward, backward."),
            ({"device": "tpu"}, "There is no device 'tpu'; use auto, cpu, cuda, cuda:N or mps."),
            (
                {"device": "cpu", "precision": "fp16"},
                "The precision fp16 needs a GPU; use fp32, bf16 or auto on the CPU.",
            ),
        ],
    )
    def test_names_and_combinations(self, model, arguments, sentence):
        with pytest.raises(InputError) as caught:
            make_runner(model, **arguments)
        assert str(caught.value) == sentence and caught.value.exit_code == 2

    def test_failures_of_the_libraries_are_one_sentence(self, runners):
        wrong = pictures(1, 32, 32, channels=2)
        for runner in runners.values():
            with pytest.raises(StyleTransferError, match="^The network failed: ") as caught:
                runner.run(wrong)
            assert "\n" not in str(caught.value) and str(caught.value).endswith(".")
            assert not isinstance(caught.value, InputError)
