"""Makes the fixtures of what has been added since 0.1.0: ``python Testing/compatibility/make_next.py FOLDER``.

``next`` stands for the schema of the version to come, and is made anew until that is released; then it gets the
version's name, is not made again, and the whole of ``make_fixtures.py`` is run for it. All in it is made up. Contents:

    model/      a generator of tone curves in stacks, with a calibration, lesions and its training volumes' looks
    run/        a run folder of `sst train` after 2 of 4 steps, without its cache
    report.json of sst translate, with verdict and recognised input
    cohort/     manifest and summary of two volumes that model/ translated, and one that it refused
    made-up.look.json of `sst harmonise`
    scene/      a scene that the panel filled (``make_next_scene.py``), as 0.1.0 has one
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
os.environ |= {"SST_PROBE": "off", "OMP_NUM_THREADS": "1"}
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1]), str(HERE.parents[1] / "SurgicalStyleTransfer")]
RUN = {
    "method": "cyclegan",
    "generator": "resnet",
    "n_blocks": 1,
    "max_steps": 2,
    "patch_size": 32,
    "precision": "fp32",
}
RUN |= {"ngf": 4, "ndf": 4, "n_layers": 2, "device": "cpu", "sample_every": 0, "checkpoint_every": 2, "check_every": 1}
RUN |= {"trackers": ["csv"], "name": "discs"}


def main(folder: Path) -> None:
    """Make all of it in an empty folder."""
    import numpy as np
    from tiny_calibrations import calibrate
    from tiny_models import make_tiny_bilateral

    from surgical_style_engine.inference.fit.usual import usual_statistics
    from surgical_style_engine.models.card import read_card, write_card
    from surgical_style_engine.models.lesion_summary import LesionSummary
    from surgical_style_engine.volumes.recognise.network import shipped
    from training_cli.main import main as sst
    from training_cli.training.config import load_config
    from training_cli.training.loop import train

    folder.mkdir(parents=True)
    make_tiny_bilateral(folder, "model")
    shutil.rmtree(folder / "model-base")
    card = read_card(folder / "model")
    embeddings = list(np.random.default_rng(0).normal(size=(12, 8)).astype(np.float32))
    usual = usual_statistics(embeddings, [f"made up {number}" for number in range(12)], shipped().digest)
    card.domains.source.statistics["usual"] = usual
    ledger = {"patients": "made up", "volumes": 1, "kept": 2, "weakened": 1, "lost": 0, "invented_per_100_ml": 0.5}
    card.lesions["forward"] = LesionSummary(**ledger, source_difference=0.4, smallest_mm=6)
    write_card(folder / "model", card)
    calibrate(folder / "model")
    shutil.copytree(HERE / "v0_1_0" / "data", folder / "data")
    os.chdir(folder)
    train(load_config(None, RUN | {"source": "data/source", "target": "data/target", "output": "run"}))
    config = json.loads(Path("run/config.json").read_text(encoding="utf-8"))
    Path("run/config.json").write_text(json.dumps(config | {"max_steps": 4}, indent=2) + "\n", encoding="utf-8")
    run = ["--model", "model", "--device", "cpu", "--precision", "fp32", "--backend", "torch"]
    try:
        sst(["translate", "data/head_T1.nii.gz", "o.nii.gz", *run, "--report", "report.json"])
    except SystemExit as ended:
        assert not ended.code
    make_cohort(folder)
    make_look(folder)
    (folder / "scene").mkdir()
    subprocess.run([sys.executable, HERE / "make_next_scene.py", folder / "scene"], check=True)
    for name in ("run/cache", "run/model", "data"):
        shutil.rmtree(name)
    Path("o.nii.gz").unlink()


def make_cohort(folder: Path) -> None:
    """Of a folder with "model": what a run over a cohort leaves beside the images."""
    from training_cli.main import main as sst

    data = HERE / "v0_1_0" / "data"
    source = folder / "cohort-in"
    for name, file in (("a/p1_T1.nii.gz", "head_T1.nii.gz"), ("b/p2_T1.nii.gz", "head_T2.nii.gz")):
        (source / name).parent.mkdir(parents=True)
        shutil.copy(data / file, source / name)
    (source / "broken.nii.gz").write_bytes(b"no image")
    run = ["--model", str(folder / "model"), "--device", "cpu", "--precision", "fp32", "--backend", "torch"]
    os.chdir(folder)
    try:
        sst(["translate", source.name, "cohort", *run, "--progress", "none"])
    except SystemExit as ended:
        assert ended.code == 1
    for path in [source, *(folder / "cohort").glob("[ab]")]:
        shutil.rmtree(path)
    (folder / "cohort" / "summary.html").unlink()


def make_look(folder: Path) -> None:
    """The look of a head of three tissues."""
    from tissue_phantom import tissue_phantom

    from surgical_style_engine.harmonise.look import look_of
    from surgical_style_engine.volumes.tissues.landmarks import measure

    look_of([measure(tissue_phantom(), "T1w", True)[0]], "T1w", "made up").save(folder / "made-up.look.json")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
