"""Which tests start processes or are slow, so that `make quick` leaves them out; and a watch that no other test does.

Tests are named by the beginning of their node id below ``tests/``: a folder, a file, or one test.
"""

from __future__ import annotations

import sys

PROCESS = (
    "benchmarks/test_mutants.py::test_a_mutant_runs_in_its_process",
    "capture/test_shards.py",
    "cli/test_bisect_commits.py",
    "cli/test_validate.py::test_it_needs_no_torch",
    "cluster/test_slurm.py",
    "cluster/test_worker_command.py",
    "config/test_stacks.py::test_a_new_stack",
    "config/test_stacks.py::test_workers_read",
    "docs/test_method.py",
    "environments/test_overlay.py",
    "environments/test_lend.py",
    "environments/test_wheels.py",
    "guard/test_guard.py",
    "guard/test_judge.py",
    "hotfixes/test_hotfixes.py::test_what_is_printed",
    "launch/test_early.py",
    "launch/test_fork_server.py::test_a_killed_server",
    "launch/test_fork_server.py::test_a_module",
    "launch/test_fork_server.py::test_a_worker_may",
    "launch/test_fork_server.py::test_the_first_server",
    "launch/test_fork_server.py::test_the_server_ends",
    "launch/test_fork_server.py::test_where_a_fork",
    "launch/test_imports.py",
    "launch/test_launcher.py::test_nothing_is_left",
    "launch/test_vigil.py",
    "plugin/test_action.py",
    "plugin/test_docs.py::test_options_exist",
    "plugin/test_docs.py::test_the_lines_that_a_pull_request_moves",
    "plugin/test_pre_commit.py",
    "report/formats/test_html.py::test_a_browser",
    "report/formats/test_paper.py",
    "report/formats/test_search.py::test_a_browser",
    "report/test_files.py::test_names_of_formats_are_known_before",
    "report/test_files.py::test_reports_import_no_training_stack",
    "runfolder/test_place.py::test_what_a_killed_run",
    "runfolder/test_space.py",
    "scripts/test_ci_run.py",
    "scripts/test_survey_pages.py::test_the_page_finds",
    "stacks/test_registry.py::test_reading_them",
    "test_as_module.py",
    "test_authors_code.py::test_the_plugins_option",
    "work/test_preload.py::test_trainer_is",
    "work/test_scan_once.py::test_an_import_within",
    "work/test_second_run.py",
)
"""Those that start a process. Those that take one of `FIXTURES`, and those marked ``e2e``, need not be named."""

FIXTURES = ("pytester", "local_index")
"""Fixtures whose tests start processes."""

SLOW = (
    "config/test_bounds.py::test_no_text_takes_long",
    "config/test_fuzz.py",
    "judge/measure/test_sample_noise.py::test_right_runs_exceed_it",
    "judge/measure/test_tolerance.py::test_an_error_of_ten_times",
    "judge/rules/test_in_window.py::test_weights_that_nothing_made",
    "launch/test_presence.py",
    "redaction/test_texts.py::test_long_hostile_text",
    "saved/test_mutated.py",
    "workload/test_shrink_ways.py::test_a_model_that_its_smallest_size",
)
"""Those that take seconds without starting a process."""

THOROUGH = (
    "cli/test_bisect_commits.py::test_the_first_fixed_commit",
    "cli/test_bisect_commits.py::test_where_only_commits",
    "docs/test_example_project.py::test_the_gate_holds_until_the_pin_is_moved[pin]",
    "docs/test_found.py::test_a_script_prints",
    "e2e/test_any_package.py",
    "e2e/test_bisect_sources.py",
    "e2e/test_litter.py::test_an_ended_parent_leaves_nothing_behind[SIGTERM]",
    "e2e/test_litter.py::test_the_process_that_was_killed_is_named_and_nothing_else_is_left[0-",
    "e2e/test_reproduce.py::test_scripts_that_train_on_texts_tell_a_right_trainer_from_a_wrong_one[sentence",
    "e2e/test_reproduce.py::test_scripts_that_train_on_texts_tell_a_right_trainer_from_a_wrong_one[trl-dpo",
    "e2e/test_reproduce.py::test_scripts_that_train_on_texts_tell_a_right_trainer_from_a_wrong_one[trl-reward",
    "e2e/test_sensitivity.py::test_ten_times",
    "e2e/test_stacks.py::test_pairs_of_dpo",
    "e2e/test_two_hosts.py::test_both_hosts",
    "e2e/test_two_hosts.py::test_node_0_is_killed",
    "e2e/test_two_hosts.py::test_node_1_goes_silent",
    "e2e/test_two_machines.py::test_the_batch_script",
    "e2e/test_watch.py::test_a_conductor_that_is_killed",
    "plugin/test_pytest_functions.py::test_a_function_is_found_where",
)
"""Further runs of what another test shows in one case: left out unless ``--thorough`` is given (``make thorough``)."""

EVENTS = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "os.exec")
"""What Python says of itself when it starts a process: https://docs.python.org/3/library/audit_events.html."""


def is_named(test: str, names: tuple[str, ...]) -> bool:
    """Whether a node id below ``tests/`` is among the names."""
    return test.startswith(names)


class Watch:
    """Notes every start of a process in this one, from when it is made."""

    def __init__(self) -> None:
        self._started: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in EVENTS:
            self._started.append(f"{event} {arguments[0] if arguments else ''}".strip())

    def take(self) -> list[str]:
        """What was started since the last call."""
        started, self._started = self._started, []
        return started
