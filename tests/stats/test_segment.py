import msgspec

from assay.stats import OVERALL, Segment


def test_segments_are_named_for_people() -> None:
    assert OVERALL.name == "overall"
    assert Segment((("origin", "JFK"),)).name == "origin=JFK"
    assert Segment((("origin", "JFK"), ("carrier", "B6"))).name == "origin=JFK & carrier=B6"


def test_segments_are_values() -> None:
    jfk = Segment((("origin", "JFK"),))
    assert jfk == Segment((("origin", "JFK"),))
    assert len({OVERALL, jfk, Segment()}) == 2
    assert sorted([jfk, OVERALL]) == [OVERALL, jfk]
    assert msgspec.json.decode(msgspec.json.encode(jfk), type=Segment) == jfk
