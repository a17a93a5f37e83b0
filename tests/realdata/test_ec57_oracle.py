"""Every number that the reference programs printed, number by number; and the MIT-BIH database against itself.

The oracle's files were made by bxb, rxr, epicmp and sumstats of PhysioNet's WFDB on three synthetic records; they are
not part of leadwire (LEADWIRE_DATA/ec57_oracle).
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import wfdb

from leadwire.artifacts import Ec57Result
from leadwire.ec57 import printed, score_paths

DATA = Path(os.environ.get("LEADWIRE_DATA", ""))
ORACLE, MITDB = DATA / "ec57_oracle", DATA / "mitdb"
RECORDS = ("syn01", "syn02", "syn03")

pytestmark = [pytest.mark.realdata, pytest.mark.requirement("LW-VAL-008")]
oracle = pytest.mark.skipif(not ORACLE.is_dir(), reason="LEADWIRE_DATA holds no ec57_oracle")
mitdb = pytest.mark.skipif(not (MITDB / "100.atr").is_file(), reason="LEADWIRE_DATA holds no mitdb")


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Ec57Result:
    """The oracle's annotations, written as WFDB files and read again."""
    folder = tmp_path_factory.mktemp("ec57")
    for record in RECORDS:
        (folder / f"{record}.hea").write_bytes((ORACLE / f"{record}.hea").read_bytes())
        for annotator, kind in (("atr", "atr"), ("tst", "tst")):
            with (ORACLE / f"{record}_{kind}.csv").open(encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            wfdb.wrann(
                record,
                annotator,
                np.array([int(row["sample"]) for row in rows]),
                symbol=[row["symbol"] for row in rows],
                aux_note=[row["aux"] or "" for row in rows],
                write_dir=str(folder),
            )
    return score_paths(folder, folder)


def numbers(line: str) -> list[str]:
    """Figures and dashes of a line, without those of words (syn01, Fs')."""
    return re.findall(r"(?<![\w'])(?:\d+:)*\d+(?:\.\d+)?(?![\w'])|(?<=\s)-(?=\s|$)", line.replace("%", " "))


def tables(text: str) -> list[list[str]]:
    """Numbers of each line that is about a record, and of sum, gross, average and totals."""
    wanted = re.compile(r"\s*(syn\d\d|Sum|Gross|Average|Total)\b")
    return [numbers(line) for line in text.splitlines() if wanted.match(line)]


TABLES: dict[str, tuple[str, Callable[[Ec57Result], str]]] = {
    "sum_bxb_line.txt": ("whole", printed.beat_table),
    "bxb_line.txt": ("records", printed.beat_table),
    "sd_line.txt": ("records", printed.shutdown_table),
    "sum_vruns.txt": ("whole", lambda result: printed.run_table(result, "VE")),
    "vruns.txt": ("records", lambda result: printed.run_table(result, "VE")),
    "sum_sruns.txt": ("whole", lambda result: printed.run_table(result, "SVE")),
    "sruns.txt": ("records", lambda result: printed.run_table(result, "SVE")),
}


@oracle
@pytest.mark.parametrize("name", TABLES)
def test_lines_and_sums_agree_with_the_reference_programs(name: str, scored: Ec57Result) -> None:
    extent, table = TABLES[name]
    expected, found = tables((ORACLE / name).read_text()), tables(table(scored))
    assert len(expected) == (len(RECORDS) if extent == "records" else len(RECORDS) + 4)
    assert sum(map(len, expected)) >= 3 * 16
    assert found[: len(expected)] == expected


@oracle
def test_matrices_agree_with_bxb(scored: Ec57Result) -> None:
    blocks = (ORACLE / "bxb_std.txt").read_text().split("Beat-by-beat comparison")[1:]
    for block, record in zip(blocks, scored.records, strict=True):
        body = block[block.index("Algorithm") :]
        mine = [line for line in printed.matrix_of(record).splitlines()[1:] if "false positive rate" not in line]
        assert numbers("\n".join(mine)) == numbers(body)
        assert len(numbers(body)) == 45 + 6 * 3 + 1


@oracle
def test_episodes_agree_with_epicmp(scored: Ec57Result) -> None:
    blocks = (ORACLE / "af.txt").read_text().split("AF episode-by-episode")[1:]
    for block, record in zip(blocks, scored.records, strict=True):
        body = block[block.index("Episode sens") :]
        text = printed.episodes_of(record, "AF")
        assert numbers(text[text.index("\n") :].replace("/", " ")) == numbers(body.replace("/", " "))


@oracle
def test_every_file_of_the_oracle_is_compared() -> None:
    compared = {*TABLES, "bxb_std.txt", "af.txt"}
    assert {path.name for path in ORACLE.glob("*.txt")} == compared


@mitdb
def test_the_database_against_itself(tmp_path: Path) -> None:
    """44 records without the paced ones: nothing is missed.

    One run is, by the reference programs' rule, which is kept: in record 201 a ventricular beat directly follows the
    beginning of atrial fibrillation, so that the run ends before its stretch has an end. (rxr says the same: 3 of 4.)
    """
    result = score_paths(MITDB, MITDB, test_extension="atr")
    assert result.standard and result.database == "MIT-BIH Arrhythmia Database"
    assert [record for record, _ in result.excluded] == ["102", "104", "107", "217"]
    assert len(result.records) == 44
    assert all(figure.estimate == 1.0 for figure in (*result.gross[:6], *result.average[:6]))
    assert result.gross[6].estimate == 0.0 and result.rr_error_ms == 0.0
    for record in result.records:
        off_diagonal = sum(sum(row) for row in record.matrix) - sum(record.matrix[i][i] for i in range(7))
        assert off_diagonal == 0
        for runs in record.runs:
            lost = 1 if (record.record, runs.kind) == ("201", "SVE") else 0
            assert [kind[1::2] for kind in (runs.couplets, runs.short, runs.long)] == [(0, 0), (0, 0), (lost, lost)]
        assert all(one.missed == one.false == 0 for one in record.episodes)


@mitdb
@pytest.mark.parametrize("change", ["missed", "extra", "called N", "late"])
def test_a_mutation_is_counted_where_it_is(change: str, tmp_path: Path) -> None:
    """Twenty ventricular beats of record 208 after the learning period are changed in one way."""
    read = wfdb.rdann(str(MITDB / "208"), "atr")
    sample, symbol = np.array(read.sample), np.array(read.symbol)
    chosen = np.flatnonzero((symbol == "V") & (sample > 110_000))[::30][:20]
    keep = np.ones(len(sample), dtype=bool)
    if change == "missed":
        keep[chosen] = False
    elif change == "called N":
        symbol[chosen] = "N"
    elif change == "late":
        sample = sample.copy()
        sample[chosen] += 54  # the last sample within 150 ms
    else:
        sample, symbol = np.append(sample, sample[chosen] + 60), np.append(symbol, ["V"] * 20)
        keep = np.ones(len(sample), dtype=bool)
    order = np.argsort(sample[keep], kind="stable")
    wfdb.wrann("208", "tst", sample[keep][order], symbol=list(symbol[keep][order]), write_dir=str(tmp_path))
    result = score_paths(MITDB / "208", tmp_path / "208.tst")
    (record,) = result.records
    expected = {"missed": (2, 5, 20), "extra": (5, 2, 20), "called N": (2, 0, 20), "late": (2, 5, 0)}
    row, column, count = expected[change]
    assert record.matrix[row][column] == count
    off_diagonal = sum(sum(row) for row in record.matrix) - sum(record.matrix[i][i] for i in range(7))
    assert off_diagonal == count
    assert not result.standard and "missing" in result.deviations[0]
