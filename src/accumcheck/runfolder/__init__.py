"""The wire between the processes of a run: every file of its folder, with its writer and its reader.

Layout of the folder of a launch, and the module that owns each file::

    accumcheck-XXXXXXXX/         place          in the user's temporary folder
        owner.lock               place          locked as long as the parent lives
        conductor.log            place          what the conductor printed
        tmp/                     place          the temporary folder of all processes
        0/                                      one run: a plan and what came of it
            plan.json            layout         the resolved configuration
            events.jsonl         events         what happened, one event a line
            weights.json         first_weights  of a program: the weights that whoever began first began with
            reference/           of_reference   one job: the truth, sample by sample
            1x128x1/                            one job: a split
                process-R*       steps          what process R saw of each step, and the gradients it applied
                error-R.json     failures       why process R failed
                belief.json ...  of_split       what the split leaves besides its steps
                rows-R.pt        fed_rows       of a program: the rows that process R fed its model
                rows-R.json, rows-R.npy     fed_rows       what tells these rows from others, read without torch
                logs/            layout         standard output and standard error of every process

What passes through a file is a dataclass of `accumcheck.record` or of the module that owns the file; see `codec`.
"""
