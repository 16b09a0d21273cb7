"""A capture between those who write, the heartbeat that flushes and the commit: nothing is lost, doubled or swapped."""

import os
import random
import threading

import pytest

from django_wfe.engine.output.capture import Capture, Piece
from tests.support.running.waiting import wait_until

pytestmark = pytest.mark.unit


class Table:
    """Stands for the pieces in the database, with its unique constraint."""

    def __init__(self):
        self.rows = {}

    def insert(self, pieces):
        for piece in pieces:
            self.rows.setdefault(piece.sequence, piece.text)

    def read(self):
        return "".join(self.rows[sequence] for sequence in sorted(self.rows))


def commit(capture, table):
    """As the statement that ends a run does it."""
    text = capture.drain()
    if text:
        sequence = capture.take_sequence()
        assert sequence not in table.rows, "the constraint would fail the commit"
        table.rows[sequence] = text


def test_a_flush_that_fails_after_the_commit_keeps_its_place():
    capture, table = Capture(1), Table()
    capture.write("one ")
    flushed = capture.take_pieces()
    capture.write("two ")
    commit(capture, table)
    assert capture.return_pieces(flushed)
    capture.write("three")
    table.insert(capture.end())
    assert table.read() == "one two three"


def test_a_flush_that_was_written_although_it_failed_is_not_written_twice():
    capture, table = Capture(1), Table()
    capture.write("one ")
    flushed = capture.take_pieces()
    table.insert(flushed)
    capture.return_pieces(flushed)
    capture.write("two")
    commit(capture, table)
    table.insert(capture.end())
    assert table.read() == "one two"


def test_no_flush_overtakes_a_commit_that_is_under_way_and_fails():
    capture, table = Capture(1), Table()
    capture.write("one ")
    assert capture.drain() == "one "
    capture.write("two ")
    assert capture.take_pieces() == []
    capture.restore()
    assert capture.take_pieces() == [Piece(0, "one two ")]
    assert table.rows == {}


def test_two_restores_bring_a_text_back_once():
    capture = Capture(1)
    capture.write("one ")
    capture.drain()
    capture.restore()
    capture.restore()
    assert (capture.drain(), capture.take_sequence()) == ("one ", 0)


def test_after_the_end_a_text_is_refused_and_failed_pieces_are_the_callers():
    capture = Capture(1)
    capture.write("one")
    pieces = capture.take_pieces()
    assert capture.end() == []
    assert not capture.return_pieces(pieces)
    assert not capture.write("late")
    capture.reopen()
    assert capture.write("late")
    assert capture.end() == [Piece(1, "late")]


def test_a_run_that_was_given_back_goes_on_behind_its_earlier_pieces():
    first, second = Capture(1, epoch=1), Capture(1, epoch=2)
    first.write("from the first claim ")
    second.write("from the second")
    table = Table()
    table.insert(first.end())
    commit(second, table)
    assert table.read() == "from the first claim from the second"
    last = Capture(1, epoch=2**31 - 1)
    last.write("fits")
    assert last.end()[0].sequence < 2**31


@pytest.mark.parametrize("seed", range(20))
def test_whatever_fails_in_whatever_order_every_text_is_there_once_and_in_order(seed):
    chance = random.Random(seed)
    capture, table, on_the_way = Capture(1), Table(), []
    written = 0
    is_committing = False
    for _ in range(200):
        match chance.randrange(5):
            case 0 | 1:
                capture.write(f"{written} ")
                written += 1
            case 2:
                on_the_way.append(capture.take_pieces())
            case 3 if on_the_way:
                pieces = on_the_way.pop(chance.randrange(len(on_the_way)))
                if chance.random() < 0.5:
                    table.insert(pieces)
                if chance.random() < 0.5:
                    capture.return_pieces(pieces)
                else:
                    table.insert(pieces)
            case 4:
                if is_committing:
                    capture.restore()
                else:
                    capture.drain()
                is_committing = not is_committing
    capture.restore()
    commit(capture, table)
    for pieces in on_the_way:
        capture.return_pieces(pieces)
    table.insert(capture.end())
    assert table.read() == "".join(f"{number} " for number in range(written))


def test_threads_that_write_flush_and_commit_at_once_lose_nothing():
    capture, table = Capture(1), Table()
    is_over = threading.Event()

    def flush():
        chance = random.Random(1)
        while not is_over.is_set():
            pieces = capture.take_pieces()
            if chance.random() < 0.5:
                capture.return_pieces(pieces)
            else:
                table.insert(pieces)

    def write(name):
        for number in range(500):
            capture.write(f"{name}{number}\n")

    flusher = threading.Thread(target=flush)
    writers = [threading.Thread(target=write, args=[name]) for name in "abc"]
    for thread in (flusher, *writers):
        thread.start()
    for thread in writers:
        thread.join(30)
    is_over.set()
    flusher.join(30)
    commit(capture, table)
    table.insert(capture.end())
    lines = table.read().splitlines()
    assert len(lines) == 1500
    for name in "abc":
        assert [line for line in lines if line.startswith(name)] == [f"{name}{number}" for number in range(500)]


def test_a_file_that_takes_its_time_holds_up_no_write(tmp_path):
    path = tmp_path / "log"
    os.mkfifo(path)
    capture = Capture(1, str(path))
    capture.write("one\n")
    taken = []
    # Opening it waits until somebody reads.
    flusher = threading.Thread(target=lambda: taken.extend(capture.take_pieces()))
    flusher.start()
    writer = threading.Thread(target=capture.write, args=["two\n"])
    writer.start()
    writer.join(30)
    assert not writer.is_alive()
    assert flusher.is_alive()
    drain = threading.Thread(target=capture.drain)
    drain.start()
    drain.join(30)
    assert not drain.is_alive(), "the commit does not wait for the file either"
    reader = os.open(path, os.O_RDONLY)
    text = b""

    def read():
        nonlocal text
        text += os.read(reader, 100)
        return text.endswith(b"two\n")

    wait_until(read)
    os.close(reader)
    flusher.join(30)
    assert text == b"one\ntwo\n"
