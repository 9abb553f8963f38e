"""Voxels of a scan: drawn from the body, errors against the real image, tissues by it."""

import numpy as np
import pytest

from training_cli.calibration.samples import Patient, scan_of, three_classes


@pytest.fixture
def scan():
    rng = np.random.default_rng(0)
    real = np.repeat([-0.8, 0.0, 0.8], 24)[None, :, None] + rng.normal(0, 0.05, (4, 72, 40))
    real = np.clip(real, -1, 1).astype(np.float32)
    body = np.zeros(real.shape, bool)
    body[1:, 4:68, 4:36] = True
    tumour = np.zeros(real.shape, bool)
    tumour[2, 30:40, 10:20] = True
    output = real + np.where(tumour, 0.5, 0.1).astype(np.float32)
    return scan_of((-real, output, real), body, tumour, real)


def test_errors_are_of_the_body_and_of_the_tumour(scan):
    assert np.median(scan.body.errors) == pytest.approx(0.1, abs=1e-5)
    np.testing.assert_allclose(scan.tumour.errors, 0.5, atol=1e-5)
    assert len(scan.tumour.errors) == 100 and len(scan.body.errors) == 3 * 64 * 32
    assert scan.psnr == pytest.approx(10 * np.log10(4 / np.mean(scan.body.errors**2)), abs=0.01)


def test_tissues_are_the_three_classes_of_the_real_image(scan):
    shares = np.bincount(scan.body.tissues, minlength=3) / len(scan.body.tissues)
    np.testing.assert_allclose(shares, [20 / 64, 24 / 64, 20 / 64], atol=0.02)


def test_scans_of_a_patient_count_equally(scan):
    patient = Patient("p", "a", "h", [scan, scan])
    assert patient.body.weights.sum() == pytest.approx(1) and patient.psnr == pytest.approx(scan.psnr)
    assert patient.tumour.weights.sum() == pytest.approx(1)


def test_three_classes():
    values = np.concatenate([np.full(400, -1.0), np.full(200, 0.2), np.full(300, 0.8)])
    low, high = three_classes(values)
    assert -1 < low < 0.2 < high < 0.8
