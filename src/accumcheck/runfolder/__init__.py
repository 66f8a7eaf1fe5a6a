"""The files through which the processes of a run communicate, each with its writer and its reader.

Layout of the folder of a launch, and the module that owns each file::

    accumcheck-XXXXXXXX/         place          in the user's temporary folder
        owner.lock               place          locked while the parent is alive
        conductor.log            place          the conductor's output
        tmp/                     place          the temporary folder of all processes
        0/                                      one run: a plan and its results
            plan.json            layout         the resolved configuration
            events.jsonl         events         one event per line
            weights.json         first_weights  of a program: the initial weights of the job that came first
            reference/           of_reference   one job: the reference, sample by sample
            1x128x1/                            one job: a split
                process-R*       steps          what process R saw of each step, and the gradients it applied
                start-R.json     starts         of a program: the initial weights of process R
                error-R.json     failures       why process R failed
                belief.json ...  of_split       the split's results other than steps
                rows-R.pt        fed_rows       of a program: the rows that process R fed its model
                rows-R.json, rows-R.npy     fed_rows       what identifies these rows, read without torch
                padding-R.json   fed_rows       the ids with which these rows were padded
                logs/            layout         standard output and standard error of every process

The content of each file is a dataclass of `accumcheck.record` or of the module that owns the file; see `codec`.
"""
