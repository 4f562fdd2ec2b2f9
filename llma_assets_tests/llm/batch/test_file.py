"""The files of batches: lines that are no results, and results found by name."""

import json

from hypothesis import given
from hypothesis import strategies as st

from llma_assets.llm.batch.file import RequestFile, ResultFile, read_result, request_line

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "code", "body"]), inner),
    max_leaves=5,
)


@given(st.binary(max_size=50))
def test_any_bytes_are_a_result_or_none(line: bytes) -> None:
    assert read_result(line) is None


@given(st.fixed_dictionaries({}, optional={"custom_id": JSON, "response": JSON, "error": JSON, "status_code": JSON}))
def test_any_json_is_a_result_or_none(row: dict[str, object]) -> None:
    result = read_result(json.dumps(row).encode())
    assert (result is None) == ("custom_id" not in row)
    assert result is None or isinstance(result.body, dict)


def test_a_request_is_one_line_of_ascii_whatever_is_in_it() -> None:
    line = request_line("a", {"messages": [{"content": "one\ntwo\u2028three \ud800"}]})
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert json.loads(line)["body"]["messages"][0]["content"] == "one\ntwo\u2028three \ud800"


def test_a_request_file_knows_its_limits() -> None:
    with RequestFile() as file:
        line = request_line("a", {})
        assert file.has_room(line, 1)
        file.add(line)
        assert not file.has_room(line, 1)
        assert file.has_room(line, 2)
        assert not file.has_room(b"x" * 190_000_000, 2)


def _line(custom_id: str, number: int) -> bytes:
    return json.dumps({"custom_id": custom_id, "response": {"status_code": 200, "body": {"n": number}}}).encode()


def test_results_are_found_by_batch_and_name_and_damage_is_passed_over() -> None:
    with ResultFile() as results:
        results.handle.write(b"\n".join([_line("a", 1), b"{", b"", _line("b", 2)]) + b"\n")
        results.index("one")
        results.handle.write(_line("a", 9)[:20])
        results.rewind()
        results.handle.write(_line("a", 3))
        results.index("two")
        found = {(batch, name): results.get(batch, name) for batch in ("one", "two") for name in ("a", "b")}
        assert {place: result and result.body["n"] for place, result in found.items()} == {
            ("one", "a"): 1,
            ("one", "b"): 2,
            ("two", "a"): 3,
            ("two", "b"): None,
        }
