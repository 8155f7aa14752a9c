"""A few jobs at a time, identical ones once, and none that nobody waits for."""

import doctest
from collections.abc import Iterator
from threading import Event

import pytest

from scinet import job_queue
from scinet.job_queue import JobCancelledError, JobQueue
from scinet.progress import ReportProgress

PATIENCE_S = 20


class Work:
    """Work that runs until it is released, and tells how often it was started and stopped."""

    def __init__(self, result: object = None, error: BaseException | None = None) -> None:
        self.started, self.stopped, self.release = Event(), Event(), Event()
        self.starts, self._result, self._error = 0, result, error

    def __call__(self, report: ReportProgress) -> object:
        self.starts += 1
        self.started.set()
        report(0.5)
        assert self.release.wait(PATIENCE_S)
        try:
            report(0.75)
        except JobCancelledError:
            self.stopped.set()
            raise
        if self._error is not None:
            raise self._error
        return self._result


@pytest.fixture
def queue() -> Iterator[JobQueue]:
    with JobQueue(workers=2, max_pixels=100) as queue:
        yield queue


def started(work: Work) -> bool:
    return work.started.wait(PATIENCE_S)


def test_the_example_of_the_queue() -> None:
    result = doctest.testmod(job_queue)
    assert result.attempted > 0 and result.failed == 0


def test_a_job_gives_its_result_and_its_progress(queue: JobQueue) -> None:
    work = Work("done")
    job = queue.submit("a", work)
    assert started(work) and not job.wait(0) and not job.is_done
    work.release.set()
    assert job.result() == "done" and job.wait() and job.is_done and job.progress == 1


def test_progress_stays_between_0_and_1(queue: JobQueue) -> None:
    reported, finish = Event(), Event()

    def work(report: ReportProgress) -> None:
        report(7.0)
        reported.set()
        finish.wait(PATIENCE_S)

    job = queue.submit("a", work)
    assert reported.wait(PATIENCE_S) and job.progress == 1 and not job.is_done
    finish.set()
    job.wait()


def test_no_more_run_than_there_are_workers(queue: JobQueue) -> None:
    works = [Work() for _ in range(3)]
    jobs = [queue.submit(number, work) for number, work in enumerate(works)]
    assert started(works[0]) and started(works[1])
    assert not works[2].started.is_set() and jobs[2].progress == 0
    works[1].release.set()
    assert started(works[2])
    works[0].release.set()
    works[2].release.set()
    assert all(job.wait(PATIENCE_S) for job in jobs)


@pytest.mark.parametrize(("first_px", "second_px"), [(1, 500), (500, 1), (60, 60)])
def test_large_images_do_not_share_the_memory(queue: JobQueue, first_px: int, second_px: int) -> None:
    first, second = Work(), Work()
    jobs = [queue.submit("first", first, first_px), queue.submit("second", second, second_px)]
    assert started(first) and not second.started.is_set()
    first.release.set()
    second.release.set()
    assert all(job.wait(PATIENCE_S) for job in jobs) and second.starts == 1


def test_a_large_job_is_not_overtaken_by_small_ones(queue: JobQueue) -> None:
    running, large, small = Work(), Work(), Work()
    jobs = [queue.submit("running", running, 1), queue.submit("large", large, 500), queue.submit("small", small, 1)]
    assert started(running) and not small.started.is_set()
    running.release.set()
    assert started(large) and not small.started.is_set()
    for work in (large, small):
        work.release.set()
    assert all(job.wait(PATIENCE_S) for job in jobs)


def test_identical_work_runs_once_and_all_get_the_same_result(queue: JobQueue) -> None:
    work = Work([1, 2, 3])
    first, second = queue.submit("a", work), queue.submit("a", work)
    work.release.set()
    assert first.result() is second.result() and work.starts == 1


def test_finished_work_is_forgotten(queue: JobQueue) -> None:
    work = Work()
    work.release.set()
    for _ in range(2):
        queue.submit("a", work).result()
    assert work.starts == 2


def test_an_error_reaches_everyone_who_waits(queue: JobQueue) -> None:
    work = Work(error=ValueError("wrong"))
    jobs = [queue.submit("a", work), queue.submit("a", work)]
    work.release.set()
    for job in jobs:
        with pytest.raises(ValueError, match="wrong"):
            job.result()
        assert job.is_done
    assert queue.submit("a", lambda report: "better").result() == "better"


def test_what_a_user_waits_for_starts_first(queue: JobQueue) -> None:
    running = [Work(), Work()]
    kept = [queue.submit(f"running {number}", work) for number, work in enumerate(running)]
    ahead, waited_for = Work(), Work()
    kept += [queue.submit("ahead", ahead, priority=-1), queue.submit("waited for", waited_for)]
    running[0].release.set()
    assert started(waited_for) and not ahead.started.is_set()
    for work in (running[1], ahead, waited_for):
        work.release.set()
    assert all(job.wait(PATIENCE_S) for job in kept)


def test_work_that_was_queued_ahead_rises_when_a_user_waits_for_it(queue: JobQueue) -> None:
    running = [Work(), Work()]
    kept = [queue.submit(f"running {number}", work) for number, work in enumerate(running)]
    first, second = Work(), Work()
    kept += [queue.submit("first", first, priority=-1), queue.submit("second", second, priority=-1)]
    kept.append(queue.submit("second", second))
    running[0].release.set()
    assert started(second) and not first.started.is_set()
    for work in (running[1], first, second):
        work.release.set()
    assert all(job.wait(PATIENCE_S) for job in kept)


def test_cancelled_work_stops_at_its_next_report(queue: JobQueue) -> None:
    work = Work()
    with queue.submit("a", work) as job:
        assert started(work)
    work.release.set()
    assert work.stopped.wait(PATIENCE_S)
    with pytest.raises(JobCancelledError):
        job.result()


def test_work_continues_while_another_waits_for_it(queue: JobQueue) -> None:
    work = Work("done")
    first, second = queue.submit("a", work), queue.submit("a", work)
    first.cancel()
    work.release.set()
    assert second.result() == "done" and not work.stopped.is_set()
    with pytest.raises(JobCancelledError):
        first.result()


def test_cancelled_work_that_has_not_started_never_does(queue: JobQueue) -> None:
    running, never, last = [Work(), Work()], Work(), Work()
    kept = [queue.submit(f"running {number}", work) for number, work in enumerate(running)]
    cancelled = queue.submit("never", never)
    kept.append(queue.submit("last", last))
    cancelled.cancel()
    assert cancelled.is_done
    for work in (*running, last):
        work.release.set()
    assert all(job.wait(PATIENCE_S) for job in kept) and never.starts == 0


def test_a_job_that_is_dropped_counts_as_cancelled(queue: JobQueue) -> None:
    work = Work()
    job = queue.submit("a", work)
    assert started(work)
    del job
    work.release.set()
    assert work.stopped.wait(PATIENCE_S)


def test_work_that_is_wanted_again_while_it_stops_runs_again(queue: JobQueue) -> None:
    stopping, leave = Event(), Event()
    starts: list[int] = []

    def work(report: ReportProgress) -> str:
        starts.append(len(starts))
        if len(starts) == 1:
            began.set()
            assert cancelled.wait(PATIENCE_S)
            try:
                report(0.5)
            finally:
                stopping.set()
                assert leave.wait(PATIENCE_S)
        return "done"

    began, cancelled = Event(), Event()
    job = queue.submit("a", work)
    assert began.wait(PATIENCE_S)
    job.cancel()
    cancelled.set()
    assert stopping.wait(PATIENCE_S)
    again = queue.submit("a", work)
    leave.set()
    assert again.result() == "done" and starts == [0, 1]


def test_closing_cancels_everything_and_waits_for_it() -> None:
    running, waiting = Work(), Work()
    queue = JobQueue(workers=1)
    jobs = [queue.submit("running", running), queue.submit("waiting", waiting)]
    assert started(running)
    running.release.set()
    queue.close()
    assert all(job.is_done for job in jobs) and waiting.starts == 0
    with pytest.raises(JobCancelledError):
        jobs[1].result()


def test_the_second_job_of_one_owner_waits_behind_the_first_of_another(queue: JobQueue) -> None:
    works = {name: Work() for name in ("a1", "a2", "a3", "a4", "b1", "b2")}
    kept = [queue.submit(name, work, owner=name[0]) for name, work in works.items()]
    assert started(works["a1"]) and started(works["a2"])
    for ended, follows in (("a1", "b1"), ("a2", "a3"), ("b1", "b2"), ("a3", "a4")):
        works[ended].release.set()
        assert started(works[follows])
    for name in ("b2", "a4"):
        works[name].release.set()
    assert all(job.wait(PATIENCE_S) for job in kept)


def test_an_owner_with_nothing_running_goes_first_even_with_a_large_image(queue: JobQueue) -> None:
    works = {name: Work() for name in ("a1", "a2", "a3", "b1")}
    kept = [queue.submit(name, work, 500 if name == "b1" else 1, owner=name[0]) for name, work in works.items()]
    assert started(works["a1"]) and started(works["a2"])
    works["a1"].release.set()
    assert not works["a3"].started.wait(0.2)
    works["a2"].release.set()
    assert started(works["b1"])
    works["b1"].release.set()
    works["a3"].release.set()
    assert all(job.wait(PATIENCE_S) for job in kept)


def test_work_that_two_owners_wait_for_has_the_better_place(queue: JobQueue) -> None:
    works = {name: Work() for name in ("a1", "a2", "shared", "a3")}
    kept = [queue.submit(name, work, owner="a") for name, work in works.items()]
    kept.append(queue.submit("c", last := Work(), owner="c"))
    kept.append(queue.submit("shared", works["shared"], owner="b"))
    assert queue.waiting_of("a") == 4 and queue.waiting_of("b") == 1 and queue.waiting_of("d") == 0
    works["a1"].release.set()
    assert started(works["shared"]) and not last.started.is_set()
    for work in (*works.values(), last):
        work.release.set()
    assert all(job.wait(PATIENCE_S) for job in kept)


def test_work_ahead_of_time_runs_alone_and_makes_way(queue: JobQueue) -> None:
    ahead, wanted = Work(), Work("wanted")
    early = queue.submit("ahead", ahead, only_when_idle=True)
    assert started(ahead)
    job = queue.submit("wanted", wanted)
    later = queue.submit("later", Work(), only_when_idle=True)
    assert started(wanted)
    ahead.release.set()
    with pytest.raises(JobCancelledError):
        early.result()
    assert ahead.stopped.is_set() and not later.wait(0)
    wanted.release.set()
    assert job.result() == "wanted"
    later.cancel()


def test_work_ahead_of_time_is_kept_for_a_user_who_wants_just_that(queue: JobQueue) -> None:
    work = Work("done")
    queue_ahead = queue.submit("a", work, only_when_idle=True)
    assert started(work)
    job = queue.submit("a", work)
    queue.submit("b", Work()).cancel()
    work.release.set()
    assert job.result() == queue_ahead.result() == "done" and work.starts == 1
