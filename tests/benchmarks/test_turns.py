"""Ways take turns, and none always goes first."""

from benchmarks.turns import take_turns


def test_ways_go_forwards_and_backwards_and_the_first_turns_do_not_count() -> None:
    done: list[str] = []
    ways = [lambda name=name: done.append(name) for name in "ABC"]

    seconds = take_turns(ways, 2, warm_up=1)

    assert "".join(done) == "CBAABCCBA"
    assert [len(taken) for taken in seconds] == [2, 2, 2]
    assert all(each >= 0 for taken in seconds for each in taken)
