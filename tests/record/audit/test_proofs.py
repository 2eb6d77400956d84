import hashlib

from hypothesis import given
from hypothesis import strategies as st

from assay.record.audit.proofs import Chain, canonical, commitment, key_id, read
from assay.record.canonical import canonical_json

HASHES = [hashlib.sha256(bytes([number])).hexdigest() for number in range(50)]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_what_is_said_of_a_chain_is_the_same_in_whatever_order_it_is_asked(asked: list[int]) -> None:
    chain = Chain(HASHES)
    for seq in asked:
        everything = hashlib.sha256("".join(HASHES[:seq]).encode()).hexdigest()
        said = chain.said(seq)
        assert said == {"seq": seq, "hash": HASHES[seq - 1], "count": seq, "hashes": everything}
        assert chain.disagrees(said) is None


def test_a_chain_of_which_something_else_was_said_is_another_one() -> None:
    said = Chain(HASHES).said(40)
    assert Chain(HASHES[:39]).disagrees(said) == "entry 40 was there then, and the chain now ends at 39"
    assert Chain([*HASHES[:39], "x"]).disagrees(said) == "entry 40 had another hash then"
    assert Chain(["x", *HASHES[1:]]).disagrees(said) == "entries before 40 had other hashes then"
    for wrong in ({}, {**said, "seq": 0}, {**said, "seq": "40"}, {**said, "count": 39}, {**said, "seq": -1}):
        assert Chain(HASHES).disagrees(wrong) == "it names no entry"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text('aé☂\n"'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_it_writes_json_as_the_store_does(value: object) -> None:
    assert canonical(value) == canonical_json(value)


def test_a_commitment_is_that_of_salt_and_value_alone() -> None:
    assert commitment("ab", "c") != commitment("a", "bc")
    assert commitment("ab", "c") == hashlib.sha256(b'["ab","c"]').hexdigest()


def test_a_key_is_named_after_its_public_half() -> None:
    assert key_id("00" * 32) == hashlib.sha256(bytes(32)).hexdigest()[:32]


def test_what_is_no_object_agrees_with_nothing() -> None:
    for text in ("", "[]", "1", "{", "null"):
        assert read(text) == {}
