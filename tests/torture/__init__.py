"""The torture bench: damaged input, killed processes, races and hostile names, counted in one table.

``make torture MINUTES=10`` (``python -m tests.torture --minutes 10``) gives every kind of input a share of
the time. A kind makes its inputs from a seed and checks what the package does with each: a `SceneLensError`,
a row of the report of repairs, or the right result. Everything else is a fault, and is counted: a crash of
the interpreter, another exception, a hang, a wrong result, too much memory. The smallest input of each fault
lies in build/torture/found afterwards, with the command that repeats it.

`driver` starts and watches the processes, `worker` is what runs in them, `kind` says what a kind is, and
`kinds` lists all of them. `mutate` has the ways of damaging bytes, texts and files, which the fuzz tests of
the rooms use too.
"""
