"""What governs runs besides their own options: the environment, a repository's file, a person's file.

`keys` is the table of settings, `layers` what one place says about them, `resolution` what is in force and
why; these three are pure. `files` finds and reads the files.
"""
