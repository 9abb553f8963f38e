"""Which files of two folders belong to one patient, by their names."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from surgical_style_engine.app.inputs import listed
from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.formats import DICOM_ENDINGS, PICTURE_ENDINGS, ending_of, list_volumes
from surgical_style_engine.imageio.itk import silent_itk

# What a part of a name can say of an image without saying whose it is.
_MODALITY = re.compile(
    r"t[12](w|n|c|f|ce|gd|wks|wce|wgd|km|post|flair|starw?)?|(t2)?flairw?|pdw?|dwi|adc|swi|asl|dti|bold|tof|mprage|spgr|"
    r"ciss|stir|mri?|mra|mrv|ct|cta|cbct|cect|ncct|pet|spect|us|xr|xray|dx|cr|dr|source|target|reference|ref|real|unit1|"
    r"angio|reg|coreg|registered|resampled|n4|bet"
)
_MASK = re.compile(
    r"(brain|body|head)?masks?|(d|prob|a)?seg|segmentation|aparc(\+aseg)?|labels?|labelmap|roi|region|lesions?|"
    r"tumou?rs?|[gcp]tv\d?"
)
# Entities of BIDS that say how an image was made, not of whom or when; with their values one part of a name.
_ENTITY = re.compile(r"(?<![a-z0-9])(acq|rec|desc|space|ce|echo|dir|part|res|inv|flip|label)-([a-z0-9+]+)")
_CHANNEL = re.compile(r"000\d")  # behind the number of a case, as nnU-Net names its images
_SESSION = re.compile(r"(ses|session|study|visit|scan|run|series|exam|timepoint|tp)\d*|[sv]\d+")
_SHORT_SESSION = re.compile(r"[sv]\d+")  # may as well number subjects and volunteers


def volumes_in(path: Path, pattern: str = "*", what: str = "input") -> list[Path]:
    """The file itself, or the volumes directly in a folder whose names match `pattern` (`*_T1W*`).

    A folder of DICOM slices is one volume, also with pictures beside them (see `app.inputs.left_out`); a folder of such
    folders, a volume each. InputError when nothing is found, and for a series with other volumes beside it.
    """
    if path.is_file():
        return [path]
    volumes = list_volumes(path)
    if not volumes:
        folders = sorted(p for p in path.iterdir() if p.is_dir() and any(map(is_dicom_file, p.iterdir())))
        series = [p for p in folders if fnmatch.fnmatch(p.name, pattern)]
        if series:
            return series
    others = [p for p in volumes if ending_of(p) not in DICOM_ENDINGS]
    if volumes and not others:
        return [path]
    matching = [p for p in volumes if fnmatch.fnmatch(p.name, pattern)]
    if not matching:
        raise InputError(f"No {what} volume matches '{pattern}' in {path}.")
    if len(others) < len(volumes) and any(p not in others for p in matching) and _has_series(path):
        # Slices of a series are no volumes of their own, whatever lies beside them.
        whole = [p for p in matching if p in others and ending_of(p) not in PICTURE_ENDINGS]
        if whole:
            raise InputError(
                f"{path} holds a DICOM series beside other volumes ({listed(whole)}), which is not one input; put "
                "them into folders of their own."
            )
        return [path]
    return matching


def is_dicom_file(path: Path) -> bool:
    """Whether a path is a file with the ending of DICOM."""
    return path.is_file() and ending_of(path) in DICOM_ENDINGS


def _has_series(folder: Path) -> bool:
    """Whether a folder holds several DICOM files of one series."""
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader
    with silent_itk():
        series = reader.GetGDCMSeriesIDs(str(folder))
        return any(len(reader.GetGDCMSeriesFileNames(str(folder), uid)) > 1 for uid in series)


def find_match(source: Path, candidates: Sequence[Path], what: str = "") -> Path | None:
    """The candidate that belongs to `source`, or None. what: "mask", or "reference", which is no mask; also said.

    That is the one of the same name; else the one that agrees in all its name's parts (split at _ - . and blanks) but
    the last, where the parts that differ are known to name no patient: modalities and roles (T1w, CT, mask, ...) and,
    in the source's name, sessions. patient04_study1_T1W goes with patient04_study1_T2W and patient04_brainmask, not
    with patient04_study2_T2W; case_001 never goes with case_002, nor t1_anna with t1_bert. Entities of BIDS that say
    how an image was made (acq-mprage) do not count, and case_001 is the mask of nnU-Net's case_001_0000. InputError
    when two fit equally well.
    """
    best = fitting(source, candidates, what)
    if len(best) > 1:
        names = ", ".join(c.name for c in best)
        raise InputError(f"Several {what + ' ' if what else ''}files fit {source.name}: {names}; name one of them.")
    return best[0] if best else None


def fitting(source: Path, candidates: Sequence[Path], what: str = "") -> list[Path]:
    """All candidates that belong to `source` equally well, by the rule of `find_match`."""
    others = [c for c in candidates if c.name != source.name or c.resolve() != source.resolve()]
    same = [c for c in others if stem(c) == stem(source)]
    if same:
        return same
    ranked = [(_shared(source, candidate, what), candidate) for candidate in others]
    most = max((count for count, _ in ranked), default=0)
    return [candidate for count, candidate in ranked if count == most > 0]


class Candidates:
    """Files found by the beginning of their names, so that thousands are not compared with thousands.

    Args:
        paths: The files.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._by_start: dict[tuple[str, ...], list[tuple[int, Path]]] = {}
        for number, path in enumerate(paths):
            parts = _split(stem(path))
            # All parts but the last that counts are shared with what the file belongs to, and one part at least.
            counted = [place for place, part in enumerate(parts) if "=" not in part]
            shared = counted[-2] + 1 if len(counted) > 1 else 1
            self._by_start.setdefault(parts[:shared], []).append((number, path))

    def near(self, source: Path) -> list[Path]:
        """Those that ``fitting`` could take for ``source``, and few others, in their order."""
        parts = _split(stem(source))
        starts = [parts[:count] for count in range(len(parts) + 1)]
        return [path for _, path in sorted(entry for start in starts for entry in self._by_start.get(start, ()))]


def match_all(sources: Sequence[Path], candidates: Sequence[Path], what: str) -> list[Path | None]:
    """`find_match` for each source; what has the name of one source goes with no other.

    InputError also where one candidate would serve what may be two patients.
    """
    by_name = {stem(source): source.resolve() for source in sources}
    owned: dict[str, list[Path]] = {}
    free: list[Path] = []
    for candidate in candidates:
        taken = stem(candidate) in by_name and by_name[stem(candidate)] != candidate.resolve()
        (owned.setdefault(stem(candidate), []) if taken else free).append(candidate)
    others = Candidates(free)
    matches = [find_match(s, [*owned.get(stem(s), []), *others.near(s)], what) for s in sources]
    users: dict[Path, Path] = {}
    for source, match in zip(sources, matches, strict=True):
        if match is not None and _base(source) != _base(other := users.setdefault(match, source)):
            raise InputError(f"The {what} {match.name} fits {other.name} as well as {source.name}; give each its own.")
    return matches


def told_match(source: Path, match: Path | None, what: str) -> list[str]:
    """A sentence on a match that was not made by equal names; nothing for equal ones or none."""
    if match is None or stem(match) == stem(source):
        return []
    return [f"By its name, the {what} {match.name} was taken to belong to {source.name}."]


def identity(name: str, sessions: bool = False) -> list[str]:
    """The parts of a name that may say whose an image is, lower case.

    All but modalities and roles, and sessions unless wanted.
    """
    return [part for part in _split(name) if not _is_role(part) and (sessions or not _SESSION.fullmatch(part))]


def stem(path: Path) -> str:
    """File name without its ending ('.nii.gz' counts as one)."""
    return _stem(path.name)


@lru_cache(maxsize=1 << 16)
def _stem(name: str) -> str:
    path = Path(name)
    ending = ending_of(path) if path.suffix else ""
    return name[: len(name) - len(ending)]


def _shared(source: Path, candidate: Path, what: str) -> int:
    """How many leading parts two names share, if all that differs names no patient, else 0."""
    first, second = _split(stem(source)), _split(stem(candidate))
    count = 0
    while count < min(len(first), len(second)) and first[count] == second[count]:
        count += 1
    # How an image was made says nothing of whose it is.
    own, other = ([part for part in parts[count:] if "=" not in part] for parts in (first, second))
    if own and _has_channel(first):
        own = own[:-1]
    if len(other) > 1 or not all(_is_role(part, what) for part in other):
        return 0
    known = identity("_".join(first[:count]))
    if not known:
        return 0
    sessions = _without_sessions(own)
    if not all(map(_is_role, sessions)):
        return 0
    # A candidate without the source's session speaks of a patient, who must be known by more than a word.
    if len(sessions) < len(own) and not any(re.search(r"\d", part) for part in known):
        return 0
    return count


@lru_cache(maxsize=1 << 14)
def _is_role(part: str, what: str = "") -> bool:
    if "=" in part:
        return True
    is_mask = _MASK.fullmatch(part) is not None
    if what == "mask":
        return is_mask
    return _MODALITY.fullmatch(part) is not None or (is_mask and what != "reference")


def _without_sessions(parts: Sequence[str], short: bool = True) -> list[str]:
    """Parts without sessions, whose numbers may be parts of their own (ses-02). short: those like s2 too."""
    kept, numbered = [], False
    for part in parts:
        if numbered and part.isdigit():
            numbered = False
        elif _SESSION.fullmatch(part) and (short or not _SHORT_SESSION.fullmatch(part)):
            numbered = part.isalpha()
        else:
            kept.append(part)
            numbered = False
    return kept


def _base(path: Path) -> list[str]:
    """What a name says of the patient, at most: all but sessions, and modalities and roles at its end."""
    parts = _without_sessions(_split(stem(path)), short=False)
    if _has_channel(parts):
        parts.pop()
    while parts and _is_role(parts[-1]):
        parts.pop()
    return parts


def _has_channel(parts: Sequence[str]) -> bool:
    return len(parts) > 2 and parts[-2].isdigit() and _CHANNEL.fullmatch(parts[-1]) is not None


@lru_cache(maxsize=1 << 14)
def _split(name: str) -> tuple[str, ...]:
    """Lower case; an entity of BIDS and its value are one part, with "=" between."""
    return tuple(part for part in re.split(r"[_\-.\s]+", _ENTITY.sub(r"\1=\2", name.lower())) if part)
