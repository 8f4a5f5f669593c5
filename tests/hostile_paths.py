"""Names of files that a shell, make or a path's parser could take for something else."""

PATHS = [
    "my study.toml",
    'it\'s "mine".toml',
    "a$b $(id) `id`.toml",
    "Häuser/日本 é.toml",
    "a;b & c #1.toml",
    "[1]*?.toml",
]
