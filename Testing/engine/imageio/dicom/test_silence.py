"""Values of a wrong length are bad input, in one sentence, wherever somebody looks at them."""

import warnings

import pytest

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.dicom.silence import failures, silent_pydicom

pydicom = pytest.importorskip("pydicom")


def of_three_bytes():
    """A data set whose Rows are three bytes long."""
    from io import BytesIO

    return pydicom.dcmread(BytesIO(b"\x28\0\x10\0US\3\0\1\2\3"), force=True)


def test_a_value_of_a_wrong_length():
    data = of_three_bytes()
    with pytest.raises(failures()):
        _ = data.Rows
    with pytest.raises(InputError, match="not the length of its kind"), silent_pydicom():
        _ = data.Rows


def test_other_faults_are_not_called_bad_input():
    with pytest.raises(ZeroDivisionError), silent_pydicom():
        raise ZeroDivisionError


def test_nothing_is_said_within():
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with silent_pydicom():
            warnings.warn("a name", UserWarning, stacklevel=1)
    assert not said
