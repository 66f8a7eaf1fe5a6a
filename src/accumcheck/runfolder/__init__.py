"""The wire between the processes of a run: every file of its folder, with its writer and its reader.

Layout of a run's folder, and the module that owns each file::

    plan.json                    layout         the resolved configuration
    conductor.log                layout         what the conductor printed
    events.jsonl                 events         what happened, one event a line
    weights.json                 first_weights  of a program: the weights that whoever began first began with
    reference/                   of_reference   one job: the truth, sample by sample
    1x128x1/                                    one job: a split
        process-R.json           steps          the steps that process R saw
        process-R-step-S.npy     steps          the gradient that its optimizer received
        process-R-unapplied.json steps          what it was fed after its last step, if anything
        error-R.json             failures       why process R failed
        belief.json, trajectory.json, program.json, training-arguments.json     of_split
        rows-R.pt                fed_rows       of a program: the rows that process R fed its model
        rows-R.json, rows-R.npy  fed_rows       what tells these rows from others, read without torch
        logs/                    layout         standard output and standard error of every process

What passes through a file is a dataclass of `accumcheck.record` or of the module that owns the file; see `codec`.
"""
