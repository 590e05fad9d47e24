from __future__ import annotations

import wa_bench as wb
from wa_bench.data.held import HeldExam


def test_a_held_exam_gives_what_its_dataset_gives(exam: wb.Dataset) -> None:
    held = HeldExam(exam)
    assert held.fingerprint() == exam.fingerprint()
    for _ in range(2):
        assert held.frame().collect().equals(exam.frame().collect())
        assert held.exam().equals(exam.exam())
        assert held.truth().equals(exam.truth())
        assert held.sample_ids().equals(exam.sample_ids())


def test_judged_by_another_truth_it_still_gives_what_its_dataset_gives(exam: wb.Dataset) -> None:
    held, judged = HeldExam(exam), exam.judged_by("hls-estimate")
    assert not judged.exam().equals(exam.exam())
    assert held.judged_by("hls-estimate").exam().equals(judged.exam())
    assert judged.exam().equals(wb.load("opensynth", exam.splits, truth="hls-estimate").exam())
