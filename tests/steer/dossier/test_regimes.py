"""G14 of the specification: regimes are dated data, which age; no date stands in the code."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from assay.errors import InvalidInput, NotFound
from assay.record.clock import Clock
from assay.record.sqlstore import SqlStore
from assay.steer.dossier.regimes import KnownRegime, known_regimes, list_regimes, show_regime

ROOT = Path(__file__).parents[3]
MONTHS = "January February March April May June July August September October November December"
MONTH = "|".join(f"{name}|{name[:3]}" for name in MONTHS.split())
DATE = re.compile(rf"\b(19|20)\d\d-\d\d(-\d\d)?\b|\b\d{{1,2}}\.? ({MONTH})\.? 20\d\d\b")
ROW = """
[[regime]]
id = "eu-ai-act-12"
regime = "AI Act"
provision = "Art. 12"
status = "looked up by us"
applies_from = 2027-12-02
source = "EUR-Lex"
verified_on = 2027-01-15
"""


def shipped() -> dict[str, KnownRegime]:
    return {one.id: one for one in known_regimes(datetime(2026, 11, 30, tzinfo=UTC))}


def test_g14_a_row_that_was_looked_up_long_ago_is_stale() -> None:
    verified = date.fromisoformat(shipped()["eu-ai-act-12"].verified_on)
    seen = datetime(verified.year, verified.month, verified.day, tzinfo=UTC)
    for days, stale in ((0, False), (91, False), (92, True), (4000, True)):
        rows = known_regimes(seen + timedelta(days=days))
        assert {one.stale for one in rows} == {stale}, days
        assert {one.age_days for one in rows} == {days}


def test_g14_no_date_stands_in_the_code() -> None:
    rooms = (ROOT / "src/assay/steer" / name for name in ("cards", "dossier"))
    sources = [*(path for room in rooms for path in room.glob("**/*.py")), ROOT / "src/assay/cli/cards.py"]
    assert len(sources) > 15
    for path in sources:
        lines = [line for line in path.read_text().splitlines() if DATE.search(line)]
        assert lines == [], path.name
    assert DATE.search("from 2 Dec 2027 on")
    assert DATE.search("2027-12-02")


def test_the_rows_are_those_that_were_looked_up() -> None:
    rows = shipped()
    assert rows["eu-ai-act-annex-iii"].applies_from == "2027-12-02"
    assert rows["eu-ai-act-annex-iii"].applies_in_days == 367
    assert rows["eu-ai-act-annex-i"].applies_from == "2028-08-02"
    assert rows["us-banking-sr-11-7"].status.startswith("rescinded 17 Apr 2026")
    assert "non-enforceable" in rows["us-banking-sr-26-2"].status
    assert "10 days where somebody died" in rows["eu-ai-act-73"].status
    assert "72(3)" in rows["eu-ai-act-72"].not_verified
    assert "Federal Reserve" in rows["us-banking-sr-26-2"].not_verified
    assert all(one.source and one.status and one.origin == "shipped with Assay" for one in rows.values())


def test_a_file_of_ones_own_goes_before_what_was_shipped(store: SqlStore, tmp_path: Path) -> None:
    mine = tmp_path / "regimes.toml"
    mine.write_text(f'stale_after = "1d"\n{ROW}{ROW.replace("eu-ai-act-12", "house-rule")}')
    store.clock = Clock(datetime(2027, 1, 16, 12, tzinfo=UTC))
    rows = {one.id: one for one in list_regimes(store, overlay=str(mine))}
    assert len(rows) == len(shipped()) + 1
    assert (rows["eu-ai-act-12"].source, rows["eu-ai-act-12"].origin) == ("EUR-Lex", str(mine))
    assert (rows["eu-ai-act-12"].age_days, rows["eu-ai-act-12"].stale) == (1, False)
    assert rows["eu-ai-act-5"].stale
    assert show_regime(store, "house-rule", overlay=str(mine)).status == "looked up by us"
    with pytest.raises(NotFound, match="did you mean 'eu-ai-act-12'"):
        show_regime(store, "eu-ai-act12")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ROW + "colour = 1", "unknown key 'colour'"),
        (ROW.replace('source = "EUR-Lex"\n', ""), "lacks 'source'"),
        (ROW.replace("2027-01-15", '"soon"'), "not valid"),
        (ROW + ROW, "is there twice"),
        ('stale_after = "soon"', "stale_after is 'soon'"),
        ("[[regime", "not valid TOML"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_place(text: str, words: str, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(text)
    with pytest.raises(InvalidInput, match=words) as refused:
        known_regimes(datetime(2027, 1, 16, tzinfo=UTC), str(mine))
    assert "mine.toml" in str(refused.value)
