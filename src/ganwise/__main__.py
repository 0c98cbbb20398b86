from ganwise.cli import main

main()
