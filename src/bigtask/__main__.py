from bigtask.cli import main

main()
