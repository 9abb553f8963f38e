"""In Slicer: opening the module brings none of the engine's packages into Slicer's process."""

import sys
import unittest

import slicer


class SurgicalStyleTransferPackagesTest(unittest.TestCase):
    def test_opening_the_module_loads_no_torch(self):
        before = set(sys.modules)
        slicer.util.selectModule("SurgicalStyleTransfer")
        slicer.app.processEvents()
        loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
        self.assertFalse(loaded & {"torch", "torchvision", "pydantic", "safetensors"})

    def test_the_interpreter_of_the_worker_is_found(self):
        from SurgicalStyleTransferLib.worker.client import python_slicer

        self.assertIn("PythonSlicer", python_slicer())


if __name__ == "__main__":
    unittest.main()
